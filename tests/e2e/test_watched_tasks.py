"""Tasks that begin by themselves in a hub that was started as users start it: by files that come, and by time."""

import threading
from xml.sax.saxutils import escape

import pytest

from tests.e2e.clients import HttpMft, IbmMq, Operator
from tests.servers.processes import wait_until

CONFIG = Operator.CONFIG


def task(name, kind, action, source, destination, more=""):
    """Return the document of a task."""
    folders = f"<Source>{escape(source)}</Source><Destination>{escape(destination)}</Destination>"
    return (
        f'<Task name="{name}" type="{kind}"><Action>{action}</Action><Folders>{folders}</Folders>'
        f"<SettleSeconds>0.5</SettleSeconds>{more}</Task>"
    )


@pytest.fixture
def operator(hub):
    """A session in a hub whose agent has been started."""
    made = Operator(hub)
    wait_until(lambda: made("agentGetStatus")[0] == "Active", within=20, what="the agent")
    return made


def recorded(hub, agent):
    """Return the transfers of a source agent, with all that is recorded of them."""
    client = IbmMq(hub.url)
    answer = client.http.get(client.url.replace("/v2/", "/v3/"), params={"attributes": "*", "limit": 100}, timeout=20)
    return [one for one in answer.json()["transfer"] if one["sourceAgent"]["name"] == agent]


def content(path):
    """Return the content of a file, None where it is not there."""
    return path.read_bytes() if path.exists() else None


def test_84_85_111_112_an_upload_goes_through_a_change_task_and_a_time_task_and_names_its_cause(hub, operator):
    """Items 84, 85, 111 and 112: both tasks begin by themselves, and the first names the upload in its transfer."""
    root = hub.data / "demo/protect"
    tasks = (
        task("take", "Change", "Copy", "filestore:/inbox", "arrived"),
        task("keep", "Time", "Move", "arrived", "kept", "<Schedule><Interval>1</Interval></Schedule>"),
    )
    (root / "arrived").mkdir(parents=True, exist_ok=True)
    with operator.active(*tasks):
        assert HttpMft(hub.url).put("inbox/goods.csv", b"a crate of oranges").status_code == 201
        wait_until(lambda: content(root / "kept/goods.csv") == b"a crate of oranges", within=30, what="the kept file")
        wait_until(lambda: operator.status("take")[5] == "1", what="the end of the first execution")
        assert operator.status("take")[6] == "0"

        def transfers():
            named = {one["userProperties"]["crossdock.task"]: one for one in recorded(hub, "DATAPROTECTOR")}
            return named if {f"{CONFIG}/take", f"{CONFIG}/keep"} <= set(named) else None

        found = wait_until(transfers, within=30, what="the transfers of both tasks")
        uploads = [one["id"] for one in recorded(hub, "CLIENT")]
        assert found[f"{CONFIG}/take"]["userProperties"]["crossdock.caused_by"] in uploads


def test_84_b28_a_file_that_grows_while_it_is_watched_is_copied_once_and_whole(hub, operator):
    """Item 84 and field report B28: nothing of it is seen before its last byte has settled."""
    root = hub.data / "demo/protect"
    (root / "slow").mkdir(parents=True, exist_ok=True)
    done = threading.Event()
    with operator.active(task("slow", "Change", "Copy", "slow", "copied")):
        with (root / "slow/large.bin").open("wb") as file:
            for _ in range(15):
                file.write(b"x" * 100_000)
                file.flush()
                assert not (root / "copied/large.bin").exists()
                done.wait(0.2)
        wait_until(lambda: content(root / "copied/large.bin") == b"x" * 1_500_000, within=30, what="the whole copy")
        wait_until(lambda: operator.status("slow")[5:] == ["1", "0"], what="one execution")


def test_82_86_a_missing_folder_is_an_error_and_the_task_goes_on_once_it_is_there(hub, operator):
    """Items 80, 82 and 86: a paused task takes nothing; its resumption finds what came meanwhile."""
    root = hub.data / "demo/protect"
    with operator.active(task("late", "Change", "Copy", "not-there", "there")):
        wait_until(lambda: operator.status("late")[3] == "Error", within=20, what="the task's fault")
        assert "not-there" in operator.status("late")[4]
        (root / "not-there").mkdir()
        operator("taskPause", CONFIG, "late")
        (root / "not-there/x").write_bytes(b"x")
        operator("taskResume", CONFIG, "late")
        wait_until(lambda: content(root / "there/x") == b"x", within=30, what="the copy")
        wait_until(lambda: operator.status("late")[3] == "Waiting", what="a success")
