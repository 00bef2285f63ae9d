"""A worker of diplomat-svc as a program of its own, which a test kills."""

import json
import signal
import subprocess
import sys
import textwrap

from tests.servers.secret_search import watch_log

PROGRAM = textwrap.dedent("""
    import json, os, sys, threading
    from diplomat_svc.bootstrap import build, new_runner
    from diplomat_svc.settings import Settings
    settings = Settings(data=sys.argv[1])
    runner = new_runner(settings, os.environ).start()
    service = build(settings, directory=object(), config=json.loads(sys.argv[2]), runner=runner)
    # The fork server has imported everything once a first child has run.
    runner.run("tests.servers.pieces_of_work:first_byte", None, lambda kind, data: None).wait()
    print("ready", flush=True)
    service.dispatcher().run(threading.Event())
""")


def start_worker(made, wrapped=lambda command: command):
    """Start a worker on the data and the configuration `made.config` of a hub, and wait until it can run jobs.

    `wrapped` gives the command that runs it in surroundings of its own.
    """
    arguments = wrapped([sys.executable, "-c", PROGRAM, str(made.data), json.dumps(made.config)])
    with watch_log(made.data / "worker.log").open("ab") as log:
        child = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=log, start_new_session=True)
    child.stdout.readline()
    return child


def kill(child):
    """Kill -9 the worker and wait for its end."""
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
