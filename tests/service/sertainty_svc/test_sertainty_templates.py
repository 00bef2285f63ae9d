"""Templates of tasks: the four of the package, and those that are saved."""

import pytest

from sertainty_svc.operations.templates import SHIPPED
from sertainty_svc.store import templates
from tests.servers.task_documents import document, task
from tests.service.sertainty_svc.protector import Hub


@pytest.fixture
def hub(tmp_path):
    """A hub with a root for folders."""
    made = Hub(tmp_path, {"data_protector": {"folders": ["demo/protect"]}})
    yield made
    made.service.close()


@pytest.fixture
def session(hub):
    return hub.login()


def test_65_66_104_four_templates_are_there_from_the_start(hub, session):
    """Items 65, 66 and 104: sorted by name, each a task that can be saved in a configuration as it is."""
    names = hub.call("templateGetList", session=session).results
    assert names == ["Auto-Protect (change)", "Auto-Protect (time)", "Auto-Unprotect (change)", "Auto-Unprotect (time)"]
    bodies = [hub.call("templateGetTask", name, session=session).results[0].partition("?>")[2] for name in names]
    hub.call("configCreate", "night", session=session)
    assert hub.call("configSaveTasks", "night", document(*bodies), session=session).status == 1
    for name in names:
        assert hub.call("taskGetStatus", "night", name, session=session).status == 1


def test_66_67_77_a_template_is_saved_under_the_name_in_its_document(hub, session):
    """Items 66, 67 and 77: byte for byte, and a second save of the name replaces the first."""
    for contents in (
        task("mine"),
        f"{document(task('mine', action='Move'))}\n",
        f"<?xml version='1.0'?>{task('mine')}",
    ):
        assert hub.call("templateSaveTask", contents, session=session).status == 1
        assert hub.call("templateGetTask", "mine", session=session).results == [contents]
    assert hub.call("templateGetList", session=session).results == [*SHIPPED, "mine"]
    assert hub.call("templateGetTask", "yours", session=session).status == 213


def test_104_a_template_of_the_package_can_be_replaced(hub, session, tmp_path):
    """Item 104: and stays replaced after a restart, once in the list."""
    contents = task("Auto-Protect (time)", type="Time")
    assert hub.call("templateSaveTask", contents, session=session).status == 1
    again = Hub(tmp_path)
    other = again.login()
    assert again.call("templateGetTask", "Auto-Protect (time)", session=other).results == [contents]
    assert again.call("templateGetList", session=other).results == list(SHIPPED)
    again.service.close()


def test_104_templates_survive_the_deletion_of_any_configuration(hub, session):
    """Item 104: they belong to none."""
    hub.call("configCreate", "night", session=session)
    hub.call("templateSaveTask", task("mine"), session=session)
    hub.call("configDelete", "night", session=session)
    assert hub.call("templateGetTask", "mine", session=session).results == [task("mine")]


@pytest.mark.parametrize(
    "contents", ["<Task/>", "<Other/>", document(), document(task("a"), task("b")), task("a/b"), task(source="../x")]
)
def test_67_104_a_template_of_a_wrong_form_is_408(hub, session, contents):
    """Items 16, 67 and 104: by the same rules as a list of tasks, and nothing is saved."""
    reply = hub.call("templateSaveTask", contents, session=session)
    assert (reply.status, bool(reply.detail)) == (408, True)
    assert hub.call("templateGetList", session=session).results == list(SHIPPED)


def test_109_a_thousand_templates_are_the_most(hub, session):
    """Item 109: a new name is 502 with a sentence, one that exists is replaced."""
    with hub.service.database.write() as connection:
        for number in range(1000 - len(SHIPPED)):
            templates.save(connection, f"t{number}", b"")
    reply = hub.call("templateSaveTask", task("one more"), session=session)
    assert reply.status == 502
    assert "1000" in reply.message
    for name in ("t7", "Auto-Protect (time)"):
        assert hub.call("templateSaveTask", task(name), session=session).status == 1
