"""Run a copy for the command line: bars on a terminal, lines for people, or one JSON object for programs."""

import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, NoReturn

import click
from marshmallow import ValidationError
from rich.console import Console

from crossdock.copying.bars import Bars, TerminalBars
from crossdock.copying.changes import Change
from crossdock.copying.command import Request
from crossdock.copying.command import run as run_copy
from crossdock.copying.encryption import encrypting
from crossdock.copying.report import ALL_COPIED, NOT_REACHED, UNREPORTED, USAGE, FileResult, Report, print_result
from crossdock.ends import Ends, url_of
from crossdock.output import Output, shown_reason
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


@dataclass(frozen=True)
class Printer:
    """Prints lines for people, or one JSON object; what cannot be printed keeps no file from being copied."""

    json_format: bool
    output: Output = field(default_factory=Output)

    def say(self, line: str) -> None:
        """Print a line for people on standard output."""
        if not self.json_format:
            self.output.print(lambda: click.echo(line))

    def complain(self, line: str) -> None:
        """Print a line for people on standard error."""
        if not self.json_format:
            with suppress(OSError):
                click.echo(line, err=True)

    def finished(self, result: FileResult) -> None:
        """Print the line of a file."""
        print_result(result, self.say, self.complain)

    def report(self, report: Report, source: str) -> int:
        """Print the end of a copy; return the exit code."""
        if self.json_format:
            self.print_json(report.as_json())
        else:
            report.print_summary(self.complain, source)
        if self.output.problem:
            with suppress(OSError):
                click.echo(f"crossdock: the report could not be written: {self.output.problem}", err=True)
        return report.exit_code or (UNREPORTED if self.output.problem else ALL_COPIED)

    def refuse(self, error: Exception) -> int:
        """Print why nothing was tried; return the exit code. Raises errors that are printed elsewhere."""
        refused = isinstance(error, TransferError) and not isinstance(error, _MISTAKES)
        code = NOT_REACHED if refused else USAGE
        if self.json_format:
            self.print_json({"exit_code": code, "error": shown_reason(error)})
        elif isinstance(error, TransferError):
            self.complain(f"crossdock: {reason_of(error)}")
        else:
            raise error
        return code

    def print_json(self, value: Any) -> None:
        """Print one object for programs."""
        self.output.print(lambda: click.echo(json.dumps(value)))


def bars_for(*, json_format: bool) -> Bars:
    """Return bars on a terminal for people, else none."""
    console = Console(stderr=True)
    return TerminalBars(console) if console.is_terminal and not json_format else Bars()


def run(
    request: Request, config: Path | None, data: Path, environ: Mapping[str, str], *, rate: str | None,
    json_format: bool,
) -> int:  # fmt: skip
    """Copy, print the outcome, and return the exit code; bars are shown only where stderr is a terminal.

    `rate` is the limit of bytes per second as it was given.
    """
    bars = bars_for(json_format=json_format)
    printer = Printer(json_format)
    try:
        request = replace(request, bandwidth=rate_of(rate))
        ends = Ends.read(config, data, environ, url_of(request.source), url_of(request.destination))
        ends.check_argument(request.source)
        ends.check_argument(request.destination)
        with encrypting(request.encrypt_to, config, data, environ) as steps:
            report = run_copy(
                request, ends, data, bars=bars, finished=printer.finished, complain=printer.complain,
                change=None if steps is None else lambda _entry: Change(steps=steps),
            )  # fmt: skip
    except KeyboardInterrupt:
        # A signal that came before the copy itself.
        report = Report(interrupted=True)
    except (MftError, OSError) as error:
        return printer.refuse(error)
    code = printer.report(report, request.source)
    if report.abandoned:
        end_at_once(code)
    return code


def end_at_once(code: int) -> NoReturn:
    """End the process: neither the interpreter's end nor a library's may wait for a far side that does not answer."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(code)
