"""Confine a program before it begins: limits of the kernel, another user, and no way to more rights."""

import ctypes
import math
import os
import pwd
import resource
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from mft_common.process.parent_death import die_with_parent

_PR_CAPBSET_DROP: Final = 24
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_CAP_AMBIENT: Final = 47
_PR_CAP_AMBIENT_CLEAR_ALL: Final = 4
# With this capability, which a program of root has, a process may raise its own limits.
_CAP_SYS_RESOURCE: Final = 24
# Between the signal that a program may handle and the one that it may not.
_CPU_GRACE_S: Final = 1
# Loaded once: a process that was just forked must not load libraries.
_prctl: Final = ctypes.CDLL(None, use_errno=True).prctl


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits on a program; None is no limit.

    For the whole run: `seconds` of time, and `output` bytes and `lines` lines that are handed over of what it writes. A
    program that is to end gets SIGTERM, and SIGKILL `grace` seconds later. For each of its processes: `cpu` seconds, of
    address space `memory` bytes, `file_size` bytes, and `open_files` descriptors. There are no core files.
    """

    seconds: float = 60.0
    output: int = 1 << 20
    lines: int | None = None
    grace: float = 5.0
    cpu: float | None = None
    memory: int | None = None
    file_size: int | None = None
    open_files: int | None = None


class Confinement:
    """The limits of the kernel, made ready before the fork: `apply` calls the kernel alone."""

    def __init__(self, limits: Limits) -> None:
        cpu = None if limits.cpu is None else max(1, math.ceil(limits.cpu))
        wanted = (
            (resource.RLIMIT_CORE, 0, 0),
            (resource.RLIMIT_CPU, cpu, _CPU_GRACE_S),
            (resource.RLIMIT_FSIZE, limits.file_size, 0),
            (resource.RLIMIT_NOFILE, limits.open_files, 0),
            # Last: what follows within this process may need memory.
            (resource.RLIMIT_AS, limits.memory, 0),
        )
        self._limits = [_lowered(which, value, more) for which, value, more in wanted if value is not None]
        self._parent = os.getpid()

    def apply(self) -> None:
        """Confine this process, which was just forked and has its user already, and all that it starts.

        It dies with its parent. OSError where the kernel refuses.
        """
        die_with_parent(self._parent)
        # Without the right to drop it a process does not have this capability either.
        _prctl(_PR_CAPBSET_DROP, _CAP_SYS_RESOURCE, 0, 0, 0)
        _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
        if _prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "new privileges cannot be ruled out")
        for which, limit in self._limits:
            resource.setrlimit(which, limit)


def _lowered(which: int, soft: int, more: int) -> tuple[int, tuple[int, int]]:
    """Return a limit and its hard value, `more` above it; neither is above the hard limit of this process."""
    present = resource.getrlimit(which)[1]
    if present == resource.RLIM_INFINITY:
        return which, (soft, soft + more)
    return which, (min(soft, present), min(soft + more, present))


def user_arguments(user: str | None) -> Mapping[str, Any]:
    """Return the arguments with which `subprocess.Popen` runs a program as a user and in all groups of that user.

    None, and the user that this process has already, need none. KeyError where there is no such user.
    """
    if user is None:
        return {}
    found = pwd.getpwnam(user)
    if found.pw_uid == os.geteuid():
        return {}
    groups = os.getgrouplist(user, found.pw_gid)
    return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": groups}
