import threading

from mft_common.process.background_tasks import BackgroundTask, run_tasks


def test_a_part_that_fails_is_started_again_and_the_others_go_on():
    """One part's exception costs nothing but its own restart."""
    stop, tries, others = threading.Event(), [], []

    def fails(_stop):
        tries.append(1)
        if len(tries) == 2:
            stop.set()
        raise RuntimeError("broken")

    def lives(stopped):
        others.append(1)
        stopped.wait()

    run_tasks([BackgroundTask("fails", fails), BackgroundTask("lives", lives)], stop)
    assert len(tries) == 2
    assert others == [1]
