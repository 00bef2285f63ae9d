"""Configurations and tasks of a hub that was killed: all that was answered with success is there again."""

from tests.e2e.clients import DataProtector
from tests.servers.processes import wait_until
from tests.servers.task_documents import document, task

PAUSED, MOVES = task("paused"), task("moves", action="Move", SettleSeconds="0.5")


def test_75_77_82_configurations_pause_and_statistics_survive_kill_9(start):
    """Items 75, 77, 81 and 82: the active one, the document, the pause, the counters, and what came meanwhile."""
    hub = start()
    client = DataProtector(hub.url)
    _, (session,) = client.call("hostOpenSession", "operator")

    def call(function, *arguments):
        status, results = client.call(function, *arguments, session=session)
        assert status == 1, function
        return results

    saved = f"{document(MOVES, PAUSED)}<!-- night -->"
    folders = hub.data / "demo/protect"
    for name in ("night", "day"):
        call("configCreate", name)
    call("configSaveTasks", "night", saved)
    call("configActivate", "night")
    (folders / "in/first.txt").write_text("first")
    wait_until(lambda: call("taskGetStatus", "night", "moves")[5] == "1", within=30, what="the end of an execution")
    call("taskPause", "night", "*")
    call("templateSaveTask", PAUSED)
    before = call("taskGetStatus", "night", "moves")
    (folders / "in/second.txt").write_text("second")
    hub.kill()
    hub.start()
    wait_until(lambda: client.call("agentPing")[0] == 1, within=30, what="the agent")
    assert call("agentGetStatus")[3:] == ["night", "Active", "Normal"]
    assert call("configGetList") == ["day", "night"]
    assert call("configGetTasks", "night") == [saved]
    assert call("templateGetTask", "paused") == [PAUSED]
    assert call("taskGetStatus", "night", "moves") == before
    assert before[3] == "Paused"
    assert (folders / "in/second.txt").exists()
    call("taskResume", "night", "moves")
    wait_until(lambda: call("taskGetStatus", "night", "moves")[5] == "2", within=30, what="the next execution")
    assert (folders / "out/first.txt").read_text() + (folders / "out/second.txt").read_text() == "firstsecond"
    assert list((folders / "in").iterdir()) == []
