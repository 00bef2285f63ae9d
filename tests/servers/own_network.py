"""A network of its own for one program: the loopback address alone, and names that a test chooses."""

import fcntl
import os
import socket
import struct
from collections.abc import Sequence
from pathlib import Path

# A user namespace lets a user who is not root have both.
_UNSHARE = ("unshare", "--mount", "--net") + (() if os.geteuid() == 0 else ("--map-root-user",))
_SET_FLAGS, _UP = 0x8914, 0x1


def in_own_network(command: Sequence[object], folder: Path, *, hosts: str = "", resolver: str = "") -> list[str]:
    """Return the command that runs `command` with these texts as `/etc/hosts` and `/etc/resolv.conf`."""
    files = {"/etc/hosts": folder / "hosts", "/etc/resolv.conf": folder / "resolv.conf"}
    for path, text in zip(files.values(), (hosts, resolver), strict=True):
        path.write_text(text)
    mounts = [f'mount --bind "{path}" {place}' for place, path in files.items()]
    return [*_UNSHARE, "bash", "-c", " && ".join([*mounts, 'exec "$0" "$@"']), *map(str, command)]


def start_loopback() -> None:
    """Let the loopback address of a new network work; called in it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh14x", b"lo", _UP))
