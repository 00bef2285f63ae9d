"""Reach a folder of an SSH server.

`loop` runs asyncssh on a thread of its own, over transports that join small writes (`coalescing`), with an AES-GCM of
ours (`gcm`); `connection` connects, checks the pinned key (`host_keys`) and limits each wait; `window` keeps many
requests outstanding; `reader`, `writer`, `publish` and `listing` are the parts of the `endpoint`; `places` and
`problems` translate paths, attributes and errors.
"""

from mft_common.endpoints.sftp.connection import fetch_host_keys
from mft_common.endpoints.sftp.endpoint import SftpEndpoint, open_sftp

__all__ = ["SftpEndpoint", "fetch_host_keys", "open_sftp"]
