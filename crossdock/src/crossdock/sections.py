"""Name what validates each section of the configuration; none of it opens or changes anything."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import diplomat_svc.schemas.configuration
import filestore_svc.schemas
import gateway.bootstrap
import gateway.settings
import mqmft_svc.schemas.config
import sertainty_svc.schemas
from mft_common.config import Reader

Check = Callable[[Mapping[str, Any], Reader, Mapping[str, str]], object]


def _gateway(document: Mapping[str, Any], reader: Reader, environ: Mapping[str, str]) -> object:
    trust = gateway.settings.Settings.from_env(environ).trust
    return gateway.bootstrap.read_configuration(document, reader, trust)


def _filestore(document: Mapping[str, Any], _reader: Reader, _environ: Mapping[str, str]) -> object:
    return filestore_svc.schemas.configuration(document)


def _mqmft(document: Mapping[str, Any], reader: Reader, _environ: Mapping[str, str]) -> object:
    return mqmft_svc.schemas.config.section(document.get("ibm_mq_mft"), reader)


def _sertainty(document: Mapping[str, Any], _reader: Reader, environ: Mapping[str, str]) -> object:
    return sertainty_svc.schemas.section(document.get("data_protector"), Path(environ.get("MFT_DATA", "data")))


def _diplomat(document: Mapping[str, Any], _reader: Reader, environ: Mapping[str, str]) -> object:
    return diplomat_svc.schemas.configuration.read(document, Path(environ.get("MFT_DATA", "data")).absolute())


CHECKS: Final[tuple[Check, ...]] = (_gateway, _filestore, _diplomat, _mqmft, _sertainty)
