"""Carry out the protocol's functions, after the checks that come before any of them (13): one module a family."""

from typing import Final

from mft_common import clock, logs
from mft_common.clock import Clock
from mft_common.database import Database
from mft_common.directory import Directory
from mft_common.identity import Identity
from sertainty_svc import schemas, wire
from sertainty_svc.domain import find_function
from sertainty_svc.errors import InvalidRequest
from sertainty_svc.operations import configurations, ids, scripts, tasks, templates
from sertainty_svc.operations.agent import Agent
from sertainty_svc.operations.authentication import Authenticator
from sertainty_svc.operations.calls import Call, Family
from sertainty_svc.operations.sessions import Sessions
from sertainty_svc.wire import Reply, Request

# The families that hold no state of their own yet.
_FAMILIES: Final[tuple[Family, ...]] = (
    configurations.FUNCTIONS,
    ids.FUNCTIONS,
    scripts.FUNCTIONS,
    tasks.FUNCTIONS,
    templates.FUNCTIONS,
)


class Operations:
    """All functions of the vendor; `functions` maps the names of those that are called after the checks."""

    def __init__(self, database: Database, directory: Directory, *, now: Clock = clock.now_ms) -> None:
        self.agent = Agent(database, now)
        self.sessions = Sessions(directory)
        self._authenticator = Authenticator(directory)
        self._log = logs.get("operations")
        self.functions: Family = {
            name: operation
            for family in (self.agent.functions, self.sessions.functions, *_FAMILIES)
            for name, operation in family.items()
        }

    def call(self, request: Request, identity: Identity) -> Reply:
        """Check a request in the order of 13, and carry it out; every end but success is raised as an Outcome."""
        function = find_function(request.function)
        if function is None:
            raise InvalidRequest("there is no such function")
        if function.name == "hostOpenSession":
            return self.sessions.host_open_session(request, identity)
        caller, arguments = self._authenticator.authenticate(function, request)
        values = wire.decoded(schemas.placed(function, arguments))
        schemas.check_forms(function, values)
        return self.functions[function.name](Call(identity=identity, caller=caller, arguments=values))

    def note(self, event: str, subject: str) -> None:
        """Log an event of another service; no task waits for one yet."""
        self._log.debug("event.received", type=event, subject=subject)
