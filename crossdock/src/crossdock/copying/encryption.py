"""Encrypt the copied files for OpenPGP keys of the configuration."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from crossdock.copying.saved import folder_of
from crossdock.ends import read_document
from mft_common.errors import ConfigError
from mft_common.transfer.steps import MakeSteps

# The ending of an encrypted file's name.
SUFFIX = ".pgp"


@contextmanager
def encrypting(
    names: Sequence[str], config: Path | None, data: Path, environ: Mapping[str, str]
) -> Iterator[MakeSteps | None]:
    """Give for the block the steps that encrypt for the keys `names`; None without names.

    ConfigError for a key that the section `openpgp` does not have; OpenPgpError, before anything is copied, for one
    that may not be used today. Only these keys are read.
    """
    if not names:
        yield None
        return
    # Imported here: most copies are not encrypted.
    from mft_common.transfer.steps import openpgp

    document, reader = read_document(config, data, environ)
    section = document.get("openpgp") or {}
    unknown = [name for name in names if name not in section]
    if unknown:
        raise ConfigError([f"--encrypt-to: the section openpgp has no key {name}" for name in unknown])
    keys = openpgp.read_keys({name: section[name] for name in names}, reader)
    reader.check()
    with openpgp.Home(folder_of(data), keys.values()) as home:
        for name in names:
            home.usable(name, "encrypt")
        yield (lambda: openpgp.Encrypt(home, names),)
