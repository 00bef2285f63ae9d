"""The worker's side of resource monitors, poll by poll: a watcher with a clock that a test sets."""

from tests.servers.processes import wait_until

TOKEN = {"ibm-mq-rest-csrf-token": ""}


class Polls:
    """The watcher of a service; `poll` lets an interval pass, and returns once all scans that are due have ended."""

    def __init__(self, hub, **options):
        self.hub, self.at = hub, 1000.0
        self.watcher = hub.service.watcher(now=lambda: self.at, **options)

    def poll(self, seconds=1.0, times=1):
        for _ in range(times):
            self.at += seconds
            self.watcher.step()
            self.finish()

    def finish(self):
        """Wait for the scans that are under way."""
        wait_until(lambda: all(one.done() for one in self.watcher._running.values()), within=90)
        self.watcher._end_scans()

    def close(self):
        self.watcher.close()


def create(hub, body, **options):
    """Create a monitor."""
    answer = hub.ask("/ibmmq/rest/v3/admin/mft/monitor", "POST", json=body, headers=TOKEN, **options)
    assert answer.status_code == 201, answer.json


def transfers(hub):
    """Return all transfers, the oldest first."""
    return hub.mft("?attributes=*&limit=10000").json["transfer"][::-1]


def sources(hub):
    """Return the paths of the sources of each transfer, the oldest first."""
    return [[item["source"]["file"]["path"] for item in one["transferSet"]["item"]] for one in transfers(hub)]
