"""Exchange a request and an answer with a server that a configuration or a request names.

`deadline` limits an exchange over any socket as a whole; `http` sends one request; `allowed_hosts` decides which hosts
and addresses a request may reach.
"""

from mft_common.exchanges.allowed_hosts import AllowedHosts
from mft_common.exchanges.deadline import Deadline
from mft_common.exchanges.errors import AddressRefused, NoAnswer
from mft_common.exchanges.http import Answer, Permit, Request, send

__all__ = ["AddressRefused", "AllowedHosts", "Answer", "Deadline", "NoAnswer", "Permit", "Request", "send"]
