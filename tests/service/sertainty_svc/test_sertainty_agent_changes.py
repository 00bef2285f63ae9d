"""Every change by a call is in the agent's log (74)."""

import pytest

from tests.service.sertainty_svc.protector import Hub, agent_log

TASK = """<Task name="seal" type="Time"><Action>Copy</Action><Folders><Source>in</Source><Destination>out</Destination>
</Folders><Schedule><Interval>900</Interval></Schedule></Task>"""
NIGHT = "night"
# Each call with the event of its entry, in an order in which all succeed; the configuration is the first argument.
CHANGES = (
    ("configCreate", [NIGHT], "config.created"),
    ("configActivate", [NIGHT], "config.activated"),
    ("configSaveTasks", [NIGHT, f"<Tasks>{TASK}</Tasks>"], "tasks.saved"),
    ("taskPause", [NIGHT, "seal"], "task.paused"),
    ("taskResume", [NIGHT, "*"], "task.resumed"),
    ("taskReset", [NIGHT, "seal"], "task.reset"),
    ("configNewID", [NIGHT, "a.iic"], "id.created"),
    ("configSaveID", [NIGHT, "b.iic", b"any"], "id.saved"),
    ("configSaveScript", [NIGHT, "c.py", b"any"], "script.saved"),
    ("configDelete", [NIGHT], "config.deleted"),
    ("sharedNewID", ["a.iic"], "id.created"),
    ("sharedSaveID", ["b.iic", b"any"], "id.saved"),
    ("sharedSaveScript", ["c.py", b"any"], "script.saved"),
    ("templateSaveTask", [TASK], "template.saved"),
)


@pytest.fixture
def hub(tmp_path):
    """A hub with a root for the task's folders."""
    made = Hub(tmp_path, {"data_protector": {"folders": ["demo/protect"]}})
    yield made
    made.service.close()


def test_74_every_change_is_recorded_with_user_address_and_configuration(hub):
    """Item 74: one entry a change, in the order of the calls; calls that fail or only read leave none."""
    session = hub.login()
    for name, arguments, _ in CHANGES:
        reply = hub.call(name, *arguments, session=session, address="10.4.4.4")
        assert (name, reply.status, reply.detail) == (name, 1, None)
    for name, status in (("configGetList", 1), ("sharedGetPresetList", 1)):
        assert hub.call(name, session=session).status == status
    assert hub.call("configDelete", NIGHT, session=session).status == 213
    found = [
        (one.get("event"), one.get("user"), one.get("address"), one.get("config"))
        for one in agent_log(hub)
        if not one.get("event").startswith(("agent.", "session."))
    ]
    assert found == [
        (event, "operator", "10.4.4.4", NIGHT if arguments[0] == NIGHT else None) for _, arguments, event in CHANGES
    ]
