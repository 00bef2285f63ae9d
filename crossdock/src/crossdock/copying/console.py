"""Run a copy for the command line: bars on a terminal, lines for people, or one JSON object for programs."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

import click
from marshmallow import ValidationError
from rich.console import Console

from crossdock.copying.bars import Bars, TerminalBars
from crossdock.copying.command import Request
from crossdock.copying.command import run as run_copy
from crossdock.copying.encryption import encrypting
from crossdock.copying.report import NOT_REACHED, USAGE, FileResult, print_result
from crossdock.ends import Ends, url_of
from mft_common.config import Rate
from mft_common.endpoints.errors import BadName, TransferError, Unsupported, reason_of
from mft_common.errors import ConfigError, MftError
from mft_common.transfer.steps.openpgp.errors import OpenPgpError

# Errors of an end that are the caller's own to mend: what was asked cannot be done with these arguments.
_MISTAKES: Final = (BadName, Unsupported, OpenPgpError)


def rate_of(text: str | None) -> int | None:
    """Return a rate such as `10MiB/s` in bytes per second; ConfigError for another text."""
    if text is None:
        return None
    try:
        rate = Rate().deserialize(text)
    except ValidationError as error:
        raise ConfigError([f"--bandwidth: {error.messages[0]}"]) from error
    if not rate:
        raise ConfigError(["--bandwidth: is at least 1B/s"])
    return int(rate)


def run(request: Request, config: Path | None, data: Path, environ: Mapping[str, str], *, json_format: bool) -> int:
    """Copy, print the outcome, and return the exit code; bars are shown only where stderr is a terminal."""
    console = Console(stderr=True)
    bars = TerminalBars(console) if console.is_terminal and not json_format else Bars()

    def say(line: str) -> None:
        if not json_format:
            click.echo(line)

    def complain(line: str) -> None:
        if not json_format:
            click.echo(line, err=True)

    def finished(result: FileResult) -> None:
        print_result(result, say, complain)

    try:
        ends = Ends.read(config, data, environ, url_of(request.source), url_of(request.destination))
        ends.check_argument(request.source)
        ends.check_argument(request.destination)
        with encrypting(request.encrypt_to, config, data, environ) as steps:
            report = run_copy(request, ends, data, bars=bars, finished=finished, complain=complain, steps=steps)
    except (MftError, OSError) as error:
        refused = isinstance(error, TransferError) and not isinstance(error, _MISTAKES)
        code = NOT_REACHED if refused else USAGE
        if json_format:
            _print_json({"exit_code": code, "error": reason_of(error)})
            return code
        if not isinstance(error, TransferError):
            raise
        complain(f"crossdock: {reason_of(error)}")
        return code
    _print_json(report.as_json()) if json_format else report.print_summary(complain, request.source)
    if report.abandoned:
        _end_at_once(report.exit_code)
    return report.exit_code


def _end_at_once(code: int) -> NoReturn:
    """End the process: neither the interpreter's end nor a library's may wait for a far side that does not answer."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _print_json(value: Any) -> None:
    json.dump(value, sys.stdout)
    sys.stdout.write("\n")
