"""Ten thousand hostile inputs: envelopes, arguments with documents, and protected files (2, 12 to 17, 28, 96, 107)."""

import base64
import uuid
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from sertainty_svc.domain.functions import FUNCTIONS
from sertainty_svc.domain.names import is_name
from sertainty_svc.domain.tasks import Action
from sertainty_svc.operations.protection.opening import usable_for_protect
from sertainty_svc.operations.running.order import Result
from tests.servers.diplomat_jobs import tree
from tests.service.sertainty_svc.execution_worker import children, task
from tests.service.sertainty_svc.hostile_input import Hostile
from tests.service.sertainty_svc.protected_tasks import machines, now_ms, uid_of
from tests.service.sertainty_svc.protector import Hub
from tests.unit.mft_common import second_sealed as second

__all__ = ["children", "machines", "task"]

STATIC = {
    1: "Success", 2: "Challenged", 3: "Denied", 213: "File not found", 232: "File already exists",
    408: "Invalid request",
}  # fmt: skip
# The sentences of the errors that are documented.
SENTENCES = {
    "The agent is offline.",
    "No worker has taken up the start of the agent in time; the agent starts as soon as one runs.",
}
RESULTS = {function.name: function.results for function in FUNCTIONS}
SECRETS = ("SCRIPT-SECRET", "Rotterdam", "PRIVATE KEY", "Traceback")


@pytest.fixture
def attacked(tmp_path, log):
    """A hub in a folder of its own with a configuration, an ID and a session, and what its service logs."""
    folder = tmp_path / "hub"
    for name in ("data", "root/in"):
        (folder / name).mkdir(parents=True)
    hub = Hub(folder, {"data_protector": {"folders": [str(folder / "root")]}})
    # No caller waits for a worker here.
    hub.service.operations.agent.answer_within = 0.0
    session = hub.login()
    hub.add_configuration("night")
    assert hub.call("sharedNewID", "a.iic", session=session).status == 1
    (known,) = hub.call("sharedGetID", "a.iic", session=session).contents
    (folder / "before").write_text("".join(sorted(f"{path}\n" for path in files_of(tmp_path))))
    log.seek(0)
    log.truncate()
    yield hub, session, known, log
    hub.service.close()


def files_of(folder):
    """Return the paths of all files and folders but those of the database and of its start."""
    return [str(path) for path in Path(folder).rglob("*") if not path.name.startswith(("s.db", "before"))]


def check(answer, function=None):
    """Check that an answer is one of the protocol, and return its status."""
    if answer.status_code != 200:
        assert (answer.status_code, answer.data) == (413, b"")
        return answer.status_code
    assert answer.headers["Content-Type"] == "application/xml; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in answer.headers
    root = ET.fromstring(answer.data.decode("utf-8"))
    status, message = int(root.findtext("Status")), root.findtext("StatusMessage")
    assert root.tag == "Response"
    assert [one.tag for one in root] == ["Status", "StatusMessage", "ResultList"][: len(root)]
    assert message in SENTENCES if status == 502 else message == STATIC[status]
    results = root.find("ResultList")
    if status not in (1, 2) or (function and not RESULTS[function]):
        assert results is None, (function, status)
    for one in () if results is None else results:
        assert one.tag == "Result"
        base64.b64decode(one.text or "", validate=True)
    detail = answer.headers.get("Crossdock-Detail")
    assert (detail is not None) == (status == 408)
    assert detail is None or (detail.isascii() and detail.isprintable() and 0 < len(detail) <= 200)
    return status


def check_after(hub, session, log, tmp_path):
    """Check that nothing was written but in the database, nothing secret logged, and that the hub still works."""
    assert "".join(sorted(f"{path}\n" for path in files_of(tmp_path))) == (tmp_path / "hub/before").read_text()
    text = log.getvalue()
    for secret in (*SECRETS, session, str(tmp_path)):
        assert secret not in text, secret
    session = hub.login()
    for function in ("configGetList", "agentGetLog", "templateGetList", "sharedGetPresetList"):
        assert hub.call(function, session=session).status == 1
    for name in hub.call("configGetList", session=session).results:
        assert is_name(name)
        assert hub.call("configGetTasks", name, session=session).status == 1
    for document in (
        hub.call("agentGetLog", session=session),
        hub.call("taskGetLog", "night", "seal", session=session),
    ):
        for content in document.contents or ():
            ET.fromstring(content)


def test_2_12_15_hostile_envelopes_get_an_answer_of_the_protocol(attacked, tmp_path):
    """Items 2, 4 to 9, 12 and 15: 3,000 envelopes that were changed anywhere, and no answer by an exception."""
    hub, session, known, log = attacked
    hostile = Hostile(1, session, known)
    seen = Counter()
    for _ in range(3000):
        seen[check(hub.send(hostile.mutated(hostile.call()[1])))] += 1
    assert seen[408] > 1000
    assert seen.keys() <= {1, 2, 3, 213, 232, 408, 502}
    check_after(hub, session, log, tmp_path)


def test_13_16_103_hostile_arguments_get_an_answer_of_the_protocol(attacked, tmp_path):
    """Items 6 to 9, 13, 16, 17, 99 to 105: 5,000 calls with names, sizes and documents of any form."""
    hub, session, known, log = attacked
    hostile = Hostile(2, session, known)
    seen, by_function = Counter(), {}
    for _ in range(5000):
        function, envelope = hostile.call()
        status = check(hub.send(envelope), function)
        seen[status] += 1
        by_function.setdefault(function, set()).add(status)
    assert seen.keys() == {1, 2, 3, 213, 232, 408, 502}
    documents = ("configSaveTasks", "templateSaveTask", "sharedNewID", "configNewID")
    assert all({1, 408} <= by_function[one] for one in documents), by_function
    assert {name for name, found in by_function.items() if 502 in found} <= {"agentPing", "agentRestart", "agentStart"}
    check_after(hub, session, log, tmp_path)


def test_90_96_107_hostile_protected_files_write_nothing_outside_the_destination(task, machines, tmp_path):
    """Items 90, 96 and 107: 2,000 files with changed headers, or metadata that another program made, in one run."""
    contents = machines.here.contents
    recipient = usable_for_protect(contents, now_ms())
    hostile = Hostile(3, "", contents)
    uid = uuid.UUID(uid_of(contents)).bytes
    files = {}
    for number in range(2000):
        keys = {
            "key": hostile.random.randbytes(32),
            "prefix": hostile.random.randbytes(7),
            "ephemeral": hostile.random.randbytes(32),
        }
        made = second.write(recipient.public_key, hostile.metadata(), [b"abc"], uid=uid, **keys)
        if hostile.random.random() < 0.4:
            head, rest = made[:200], made[200:]
            made = hostile.mutated(head, 2) + rest
        files[f"in/{number}.sealed"] = made
    folder = tmp_path / "w"
    one = task(Action.AUTO_UNPROTECT, files=files, folder=folder, order=machines.here.order(), id_name="edge.iic")
    before = set(files_of(tmp_path))
    assert one.run() == Result()
    assert len(one.states()) == 2000
    assert set(one.states().values()) == {"successful", "failed"}
    written = set(files_of(tmp_path)) - before
    out, failed = folder / "root" / "out", folder / "root" / "failed"
    names = [path.name for path in out.iterdir()]
    folders = [out, failed, folder / "root" / "done"]
    expected = [*folders, *(out / name for name in names), *(failed / f"{one}.sealed" for one in range(2000))]
    assert written <= set(map(str, expected))
    assert len(names) > 10
    assert all(is_name(name) for name in names)
    assert set(tree(out).values()) == {b"abc"}
