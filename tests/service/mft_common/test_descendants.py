"""Finding the processes that descend from another while they begin and end (`mft_common.process.descendants`)."""

import os
import subprocess
import sys

from mft_common.process.descendants import children, with_descendants

# 800 children one after the other: a reader finds most of them on their way out.
BRIEF_CHILDREN = "i=0; while [ $i -lt 800 ]; do (:; :); i=$((i + 1)); done"


def test_processes_that_end_while_they_are_found_are_no_error():
    """The folder of a process goes away between two steps of reading it."""
    parents = [subprocess.Popen(["sh", "-c", BRIEF_CHILDREN]) for _ in range(2)]
    pids = [parent.pid for parent in parents]
    seen = set()
    while any(parent.poll() is None for parent in parents):
        seen.update(with_descendants(pids))
    assert len(seen) > len(pids)
    assert set(pids).isdisjoint(children(os.getpid()))


def test_a_process_that_is_gone_has_no_children():
    """Whoever collected its end may still ask."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert children(gone.pid) == []
    assert with_descendants([gone.pid]) == [gone.pid]


# It ends a child while it has no descriptor left, and prints whether one may be left then, and whether one is at last.
WITHOUT_DESCRIPTORS = """
import os, resource, subprocess
from mft_common.process.descendants import end_children, kill_children
child = subprocess.Popen(["sleep", "60"])
resource.setrlimit(resource.RLIMIT_NOFILE, (16, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
taken = []
try:
    while True:
        taken.append(os.dup(0))
except OSError:
    may_be_left = kill_children()
for one in taken:
    os.close(one)
end_children()
print(may_be_left, os.path.exists(f"/proc/{child.pid}"))
"""


def test_children_that_cannot_be_listed_may_be_left():
    """Without a free descriptor nothing can be read of /proc, which is no reason to take the children for ended."""
    program = [sys.executable, "-c", WITHOUT_DESCRIPTORS]
    ran = subprocess.run(program, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert (ran.stdout, ran.stderr) == (b"True False\n", b"")


# A chain of 200 processes, each of which waits for the next; the last one tells that it is there.
CHAIN = 'if [ "$1" -gt 0 ]; then sh -c "$0" "$0" $(($1 - 1)); else echo; sleep 60; fi; true'
# It ends the chain on a stack that is not as deep.
END_OF_A_CHAIN = """
import subprocess, sys
from mft_common.process.descendants import adopt_orphans, children, end_children
adopt_orphans()
first = subprocess.Popen(["sh", "-c", sys.argv[1], sys.argv[1], "200"], stdout=subprocess.PIPE)
first.stdout.read(1)
sys.setrecursionlimit(150)
end_children()
print(children())
"""


def test_a_chain_of_processes_is_ended_however_long_it_is():
    """No depth of descendants is an error that leaves them all."""
    program = [sys.executable, "-c", END_OF_A_CHAIN, CHAIN]
    ran = subprocess.run(program, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert (ran.stdout, ran.stderr) == (b"[]\n", b"")


# A user without rights ends its children, the first of which runs as root; it prints which one is left.
ANOTHER_USERS_CHILD = """
import os, subprocess, sys
from mft_common.process.descendants import adopt_orphans, children, end_children
adopt_orphans()
def start(*command):
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
foreign = start(*sys.argv[1:], "sleep", "60")
# The user may be unable to read the modules of this program: all are imported by now.
assert children() == [foreign.pid]
if os.geteuid() == 0:
    os.setresuid(65534, 65534, 65534)
own = [start("sleep", "60"), start("sh", "-c", "sleep 60; true")]
end_children()
print(children() == [foreign.pid], foreign.pid, flush=True)
"""


def test_a_program_of_another_user_keeps_none_of_the_others_alive():
    """Such a program cannot be killed; what can be killed is, and nothing waits for the rest."""
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    program = [sys.executable, "-c", ANOTHER_USERS_CHILD, *as_root]
    ran = subprocess.run(program, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert ran.stderr == b""
    alone, pid = ran.stdout.split()
    subprocess.run([*as_root, "kill", pid], check=True)
    assert alone == b"True"
