"""Reach a folder of an SSH server (`endpoint.open_sftp`).

`loop` runs asyncssh on a thread of its own; `connection` connects, checks the pinned key (`host_keys`) and limits each
wait; `window` keeps many requests outstanding; `reader`, `writer`, `publish` and `listing` are the parts of the
`endpoint`; `places` and `problems` translate paths, attributes and errors.
"""

from mft_common.endpoints.sftp.endpoint import open_sftp

__all__ = ["open_sftp"]
