"""Carry out the protocol's functions, after the checks that come before any of them (13): one module a family."""

from mft_common.directory import Directory
from mft_common.identity import Identity
from sertainty_svc import wire
from sertainty_svc.domain.functions import find_function
from sertainty_svc.errors import InvalidRequest
from sertainty_svc.operations.agent import Agent
from sertainty_svc.operations.authentication import Authenticator
from sertainty_svc.operations.calls import Call, Family, FunctionFamily
from sertainty_svc.operations.configurations import Configurations
from sertainty_svc.operations.context import Context
from sertainty_svc.operations.ids import Ids
from sertainty_svc.operations.log_documents import Logs
from sertainty_svc.operations.scripts import Scripts
from sertainty_svc.operations.sessions import Sessions
from sertainty_svc.operations.tasks import Tasks
from sertainty_svc.operations.templates import Templates
from sertainty_svc.schemas import arguments
from sertainty_svc.wire import Reply, Request


class Operations:
    """All functions of the vendor; `functions` maps the names of those that are called after the checks."""

    def __init__(self, context: Context, directory: Directory) -> None:
        self.context = context
        self.agent = Agent(context)
        self.sessions = Sessions(context, directory)
        self.configurations = Configurations(context)
        self.ids = Ids(context)
        self.logs = Logs(context)
        self.scripts = Scripts(context)
        self.tasks = Tasks(context)
        self.templates = Templates(context)
        self._authenticator = Authenticator(directory)
        self.functions: Family = {
            name: operation for family in self.families for name, operation in family.functions.items()
        }

    @property
    def families(self) -> tuple[FunctionFamily, ...]:
        """The families of functions."""
        return (
            *(self.agent, self.sessions, self.configurations, self.ids, self.logs),
            *(self.scripts, self.tasks, self.templates),
        )

    def call(self, request: Request, identity: Identity) -> Reply:
        """Check a request in the order of 13, and carry it out; every end but success is raised as an Outcome."""
        function = find_function(request.function)
        if function is None:
            raise InvalidRequest("there is no such function")
        if function.name == "hostOpenSession":
            return self.sessions.host_open_session(request, identity)
        caller, given = self._authenticator.authenticate(function, request)
        values = wire.decoded(arguments.placed(function, given))
        arguments.check_forms(function, values)
        return self.functions[function.name](Call(identity=identity, caller=caller, arguments=values))
