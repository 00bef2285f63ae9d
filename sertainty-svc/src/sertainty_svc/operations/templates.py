"""The functions of task templates: those that come with the package, and those that were saved (65 to 67)."""

from importlib import resources
from typing import Final

from mft_common.database.statements import Connection
from sertainty_svc.errors import GeneralError, NotFound
from sertainty_svc.operations.calls import Call, Family, listed, succeeded, succeeded_with
from sertainty_svc.operations.context import Context
from sertainty_svc.schemas.tasks import read_template
from sertainty_svc.store import templates as store
from sertainty_svc.wire import Reply

MOST: Final = 1_000
# The files of the package's templates, by the names of their tasks (104).
SHIPPED: Final = {
    "Auto-Protect (change)": "auto-protect-change.xml",
    "Auto-Protect (time)": "auto-protect-time.xml",
    "Auto-Unprotect (change)": "auto-unprotect-change.xml",
    "Auto-Unprotect (time)": "auto-unprotect-time.xml",
}


class Templates:
    """The functions of templates, which all configurations share."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._database = context.database

    @property
    def functions(self) -> Family:
        """The functions by their names."""
        return {
            "templateGetList": self.template_get_list,
            "templateGetTask": self.template_get_task,
            "templateSaveTask": self.template_save_task,
        }

    def template_get_list(self, _call: Call) -> Reply:
        """Return the names of all templates, sorted (65)."""
        return listed(SHIPPED.keys() | self._database.query_cached("templates", store.names))

    def template_get_task(self, call: Call) -> Reply:
        """Return a template as it was saved, or as it comes with the package (66)."""
        name = call.text("task-name")

        def read(connection: Connection) -> bytes | None:
            return store.contents(connection, name)

        document = self._database.query(read)
        if document is None:
            document = shipped(name)
        return succeeded_with(document)

    def template_save_task(self, call: Call) -> Reply:
        """Save a template under the name of its task, in place of one that has it (67, 104)."""
        document = call.text("task-definition").encode()
        name = read_template(document, self._context.roots()).name
        with self._database.write() as connection:
            store.lock(connection)
            known = SHIPPED.keys() | store.names(connection)
            if name not in known and len(known) >= MOST:
                raise GeneralError(f"There are {MOST} templates already; no more can be saved.")
            store.save(connection, name, document)
            self._context.log(connection, call, "template.saved", f"The template {name} was saved.")
        return succeeded()


def shipped(name: str) -> bytes:
    """Return a template of the package; NotFound where it has none of that name."""
    if name not in SHIPPED:
        raise NotFound
    return (resources.files("sertainty_svc") / "templates" / SHIPPED[name]).read_bytes()
