"""Give a finished temporary file its final name, in one step where the server allows it, else losing neither file."""

from dataclasses import dataclass

from mft_common import logs
from mft_common.endpoints.contract import IfExists
from mft_common.endpoints.errors import BadName, Exists, NotFound, TargetIsFolder, TransferError
from mft_common.endpoints.former import aside_name, kept_name
from mft_common.endpoints.ftp.lines import Line
from mft_common.endpoints.ftp.places import Place
from mft_common.endpoints.ftp.replies import shown
from mft_common.endpoints.ftp.session import Session
from mft_common.endpoints.names import temporary_name


@dataclass(frozen=True)
class Names:
    """The server's paths of one file on its way in: final, temporary, and of the former file that is moved aside.

    `path` and `temporary` are paths of the endpoint. `aside` is None where the name is too long for one.
    """

    path: str
    temporary: str
    final: str
    part: str
    aside: str | None

    @classmethod
    def of(cls, place: Place, path: str, token: str) -> "Names":
        """Return the names of the file `path` that belongs to `token`."""
        above, slash, name = path.rpartition("/")
        temporary = f"{above}{slash}{temporary_name(name, token)}"
        aside = aside_name(name, token)
        full_aside = None if aside is None else place.full(f"{above}{slash}{aside}")
        return cls(path, temporary, place.full(path), place.full(temporary), full_aside)


def check_target(session: Session, names: Names, if_exists: IfExists) -> Line | None:
    """Return the file that has the final name, None for none; Exists, TargetIsFolder where it must not be replaced."""
    line = session.lookup(names.final, names.path)
    if line is None:
        return None
    if line.kind == "folder":
        raise TargetIsFolder(f"{shown(names.path)}: is a folder")
    if if_exists == "fail":
        raise Exists(f"{shown(names.path)}: exists already")
    return line


def rename(session: Session, old: str, new: str, name: str) -> None:
    """Rename a file; what a server does with a name that is taken is its own choice."""
    session.command(f"RNFR {old}", name)
    session.command(f"RNTO {new}", name)


def remove(session: Session, full: str, name: str) -> bool:
    """Remove a file; return False where it was gone already."""
    try:
        session.command(f"DELE {full}", name)
    except TransferError as error:
        if error.heals:
            raise
        if isinstance(session.explained(error, full, name), NotFound):
            return False
        raise
    return True


def remove_unfinished(session: Session, full: str, name: str) -> bool:
    """Remove an unfinished file; False where it is gone, or its name is a folder's, which is never ours."""
    return not _is_folder(session, full, name) and remove(session, full, name)


def _is_folder(session: Session, full: str, name: str) -> bool:
    # Asked before: what a server does with DELE of a folder is its own choice.
    line = session.lookup(full, name)
    return line is not None and line.kind == "folder"


def publish(session: Session, names: Names, if_exists: IfExists) -> str:
    """Give the temporary file its final name; return a warning, "" for none."""
    try:
        rename(session, names.part, names.final, names.path)
    except TransferError as error:
        if error.heals:
            raise
        taken = check_target(session, names, if_exists)
        if taken is None or session.lookup(names.part, names.path) is None:
            raise
        return _in_two_steps(session, names)
    return ""


def _in_two_steps(session: Session, names: Names) -> str:
    """Move the former file aside, rename, remove the former one; on a failure give it its name back.

    The former and the new content are complete under some name at every moment.
    """
    if names.aside is None:
        raise BadName(f"{shown(names.path)}: the name is too long to be replaced at a server that renames onto no file")
    log = logs.get("endpoints.ftp")
    fields = {"file": shown(names.path), "former": last(names.aside), "new": last(names.part)}
    log.info("ftp.replacing_in_two_steps", **fields)
    # An older content than the one that has the final name now.
    remove(session, names.aside, names.path)
    rename(session, names.final, names.aside, names.path)
    try:
        rename(session, names.part, names.final, names.path)
    except TransferError as error:
        try:
            rename(session, names.aside, names.final, names.path)
        except TransferError as second:
            log.warning("ftp.former_kept_aside", **fields, why=str(second))
        else:
            log.warning("ftp.former_restored", **fields, why=str(error))
        raise
    log.info("ftp.replaced_in_two_steps", **fields)
    return discard_former(session, names)


def discard_former(session: Session, names: Names) -> str:
    """Remove the former file after its replacement; return a warning where that fails."""
    if names.aside is None:
        return ""
    try:
        remove(session, names.aside, names.path)
    except TransferError as error:
        kept = last(names.aside)
        log = logs.get("endpoints.ftp")
        log.warning("ftp.former_left", file=shown(names.path), left=kept, why=str(error))
        return f"the former file is left as {kept}: {error}"
    return ""


def restore_former(session: Session, names: Names, *, unfinished: bool = False) -> bool:
    """Give a file that was moved aside its name back where that is free; return False where there is no such file.

    It is removed where the new file has the name, and kept where the temporary file is there, or was a moment ago
    (`unfinished`): then another program has put its own file under the name meanwhile.
    """
    aside, name = names.aside, names.path
    found = None if aside is None else session.lookup(aside, name)
    if aside is None or found is None or found.kind == "folder":
        return False
    log = logs.get("endpoints.ftp")
    if session.lookup(names.final, name) is None:
        rename(session, aside, names.final, name)
        log.warning("ftp.former_restored", file=shown(name))
    elif unfinished or session.lookup(names.part, name) is not None:
        kept = kept_name(aside)
        if session.lookup(kept, name) is None:
            # A name that no sweep removes.
            rename(session, aside, kept, name)
        log.warning("ftp.former_kept", file=shown(name), left=last(kept), why="another program has taken the name")
    else:
        remove(session, aside, name)
    return True


def last(full: str) -> str:
    """Return the last step of a server's path, for messages."""
    return shown(full.rpartition("/")[2])
