"""Check accounts, contracts, origins and rights, in the order that every call follows (http-mft.md S1 to S4)."""

from dataclasses import dataclass
from urllib.parse import urlsplit

import sqlalchemy as sa

from filestore_svc.domain.files import Folder, Right, rights_in
from filestore_svc.domain.paths import Target
from filestore_svc.errors import (
    Forbidden,
    ForeignOrigin,
    NoContract,
    NoListedPath,
    NoPath,
    NoRight,
    NotAuthenticated,
    RequestRejected,
    Throttled,
)
from filestore_svc.schemas import Configuration
from filestore_svc.store import folders
from mft_common.database.statements import Connection
from mft_common.identity import SYSTEM, Identity


@dataclass(frozen=True)
class Caller:
    """An account that may call, and the identity that the gateway signed for it."""

    identity: Identity
    account: str


class Access:
    """The checks, by the contracts and origins of the configuration and the access lists in the database."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration

    def caller(self, identity: Identity) -> str:
        """Return the account of a caller with a session and a contract; NotAuthenticated, NoContract, Throttled."""
        if identity.reason == "throttled":
            raise Throttled(identity.retry_after)
        if identity.account is None:
            raise NotAuthenticated
        if (identity.grant or {}).get("contract") not in self._configuration.contracts:
            raise NoContract
        return identity.account

    def writer(self, identity: Identity, origin: str | None) -> str:
        """Return the account of a caller; ForeignOrigin where another site's page sent the request (S34).

        It holds for passwords too: a browser sends a stored password with any page's request, as it sends a cookie.
        """
        account = self.caller(identity)
        if origin is not None:
            own = urlsplit(identity.base_url)
            allowed = {f"{own.scheme}://{own.netloc}", *self._configuration.origins}
            if origin.lower() not in {each.lower() for each in allowed}:
                raise ForeignOrigin
        return account

    def system(self, identity: Identity) -> str:
        """Return the account of the hub's own services; Forbidden for every other caller."""
        if identity.account != SYSTEM:
            raise Forbidden
        return SYSTEM

    def folder_of(
        self, connection: Connection, target: Target, account: str, right: Right, only_folder: RequestRejected
    ) -> Folder:
        """Return the folder that holds the file `target`; `only_folder` is raised where a folder has that very path.

        The right is asked of the folder or its nearest existing ancestor, so that unknown names below a closed folder
        do not leak. (S4)
        """
        chain = folders.chain(connection, target.pieces[: target.good])
        above = len(target.parents)
        self._demand(chain[:above], account, right)
        if target.refused and target.good >= above:
            raise NoPath(target.text)
        if len(chain) < above or not chain:
            raise NoPath("/".join(target.parents))
        if len(chain) > above:
            raise only_folder
        return chain[-1]

    def folder(self, connection: Connection, target: Target, account: str, right: Right) -> Folder:
        """Return the folder that `target` names; the root gives no rights (19, S4, S8)."""
        if not target.pieces:
            raise NoRight(right)
        return self._named(connection, target, account, right, NoPath(target.text))

    def parent(self, connection: Connection, target: Target, account: str) -> Folder:
        """Return the folder in which the folder `target` may be made; NoRight, NoListedPath (X2, S4)."""
        above = Target(target.parents, min(target.good, len(target.parents)))
        if not above.pieces:
            raise NoRight("create")
        folder = self._named(connection, above, account, "create", NoListedPath())
        if target.refused:
            raise NoListedPath
        return folder

    def allowed(self, connection: Connection, path: str, account: str, right: Right) -> Folder | None:
        """Return the folder at `path`, None where it is hidden; NoRight (38, 43, 65, 71)."""
        pieces = tuple(path.split("/")[1:])
        chain = folders.chain(connection, pieces)
        if len(chain) < len(pieces):
            return None
        self._demand(chain, account, right)
        return chain[-1]

    def listed(self, connection: sa.Connection, target: Target, account: str) -> tuple[Folder | None, list[int] | None]:
        """Return the folder to list and its visible subfolders: (None, ids) for the root, else (folder, None).

        Every account with a contract may list the root, which shows the folders on which it has any right. (S8)
        """
        if not target.pieces:
            return None, [folder.id for folder in folders.top(connection) if rights_in([folder], account)]
        return self._named(connection, target, account, "list", NoListedPath()), None

    def _named(
        self, connection: Connection, target: Target, account: str, right: Right, missing: RequestRejected
    ) -> Folder:
        chain = folders.chain(connection, target.pieces[: target.good])
        self._demand(chain, account, right)
        if not chain or len(chain) < len(target.pieces):
            raise missing
        return chain[-1]

    @staticmethod
    def _demand(chain: list[Folder], account: str, right: Right) -> None:
        """Raise NoRight without the right in the last folder of a chain; an empty chain, the root, hides nothing."""
        if chain and account != SYSTEM and right not in rights_in(chain, account):
            raise NoRight(right)
