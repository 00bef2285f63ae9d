"""Run a relay or a consumer as a program that tests can kill: `event_program.py relay|consume JSON`."""

import json
import sys
import threading

from mft_common import logs
from mft_common.process.background_tasks import run_tasks, stop_on_signals
from tests.servers.event_world import World


def main() -> int:
    """Run until a signal; at an event about the path `hang_on`, print `hanging` and hang."""
    role, options = sys.argv[1], json.loads(sys.argv[2])
    logs.configure("event-program", "warning")
    world = World(options["producer"], options["consumer"], options["amqp"])

    def before(path: str) -> None:
        if path == options.get("hang_on"):
            print("hanging", flush=True)
            threading.Event().wait()

    bus = world.bus()
    stop = threading.Event()
    stop_on_signals(stop)
    run_tasks(world.relay(bus) if role == "relay" else world.consume(bus, before), stop, grace=5)
    return 0


if __name__ == "__main__":
    sys.exit(main())
