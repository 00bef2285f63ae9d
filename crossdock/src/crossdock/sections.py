"""List the services' readers of the sections of a configuration, which validate them."""

from collections.abc import Mapping
from typing import Any, Final

import diplomat_svc.schemas.configuration
import filestore_svc.schemas
import gateway.bootstrap
import gateway.schemas.accounts
import gateway.settings
import mqmft_svc.schemas.config
import sertainty_svc.schemas.configuration
import sertainty_svc.settings
from mft_common.config import Reader, ReadSections, Sections
from mft_common.errors import ConfigError

SECTIONS: Final[Sections] = {
    **gateway.schemas.accounts.SECTIONS,
    **filestore_svc.schemas.SECTIONS,
    **diplomat_svc.schemas.configuration.SECTIONS,
    **mqmft_svc.schemas.config.SECTIONS,
    **sertainty_svc.schemas.configuration.SECTIONS,
}


def _references(document: Mapping[str, Any], _reader: Reader) -> None:
    """Find references to accounts and folders that do not exist: each would be a right or a job that never works."""
    accounts = document.get("accounts") or {}
    folders = (document.get("http_mft") or {}).get("folders") or {}
    problems = []
    for path, folder in folders.items() if isinstance(folders, Mapping) else ():
        access = folder.get("access") if isinstance(folder, Mapping) else None
        unknown = [name for name in access if name not in accounts] if isinstance(access, Mapping) else []
        problems += [f"http_mft.folders.{path}.access.{name}: no such account" for name in unknown]
    agents = (document.get("ibm_mq_mft") or {}).get("agents") or {}
    for name, agent in agents.items() if isinstance(agents, Mapping) else ():
        url = agent.get("root") if isinstance(agent, Mapping) else None
        if isinstance(url, str) and url.startswith("filestore:") and not _is_folder(url, folders):
            problems.append(f"ibm_mq_mft.agents.{name}.root: http_mft.folders has no {url[10:]}")
    for number, transaction in enumerate(document.get("transactions") or ()):
        for side in ("source", "destination"):
            end = transaction.get(side) if isinstance(transaction, Mapping) else None
            url = end.get("url") if isinstance(end, Mapping) else None
            if isinstance(url, str) and url.startswith("filestore:") and not _is_folder(url, folders):
                problems.append(f"transactions.{number}.{side}.url: http_mft.folders has no {url[10:]}")
    if problems:
        raise ConfigError(problems)


def _is_folder(url: str, folders: Mapping[str, Any]) -> bool:
    """Return whether a URL names a configured folder or a parent of one."""
    path = url.removeprefix("filestore:").rstrip("/")
    return any(name == path or name.startswith(f"{path}/") for name in folders)


def unused(document: Mapping[str, Any]) -> list[str]:
    """Return the paths of keys that are validated and have no effect yet."""
    return [
        *diplomat_svc.schemas.configuration.unused(document),
        *sertainty_svc.schemas.configuration.unused(document),
    ]


def readers(environ: Mapping[str, str]) -> tuple[ReadSections[object], ...]:
    """Return the functions that read and so validate the sections; none of them opens or changes anything."""
    return (
        gateway.bootstrap.sections_reader(gateway.settings.Settings.from_env(environ).trust),
        filestore_svc.schemas.read_sections,
        diplomat_svc.schemas.configuration.read_sections,
        mqmft_svc.schemas.config.read_sections,
        sertainty_svc.schemas.configuration.sections_reader(environ.get(sertainty_svc.settings.HOST_KEY_FILE)),
        _references,
    )
