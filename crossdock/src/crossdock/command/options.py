"""Declare the options that several subcommands share, and print the hub's own errors."""

import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from crossdock.output import INTERRUPTED, OUTPUT_FAILED, USAGE, discard_unwritable, shown_reason, terminable
from mft_common.errors import ConfigError, MftError

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)
CONFIG = click.option("--config", type=FILE, help="Configuration file.  [default: crossdock.yaml, where there is one]")
DATA = click.option("--data", default="./data", show_default=True, type=FOLDER, help="The hub's data folder.")
FORMAT = click.option("--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True)


def prints_errors(run: Callable[..., Any]) -> Callable[..., Any]:
    """Print the hub's own errors as lines on stderr without a stack trace, and exit with code 2.

    SIGINT and SIGTERM end a command that does not handle them with code 130, after what it has open is released; an
    output that cannot be written is code 74.
    """

    @wraps(run)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        code = USAGE
        try:
            with terminable():
                return run(*args, **kwargs)
        except KeyboardInterrupt:
            code = INTERRUPTED
            click.echo("crossdock: interrupted", err=True)
        except ConfigError as error:
            click.echo(f"crossdock: the configuration has {len(error.problems)} problem(s):", err=True)
            for problem in error.problems:
                click.echo(f"  {problem}", err=True)
        except MftError as error:
            click.echo(f"crossdock: {error}", err=True)
        except UnicodeEncodeError:
            # A database and an address take no other text.
            click.echo("crossdock: an argument is not UTF-8", err=True)
        except OSError as error:
            text = shown_reason(error)
            if discard_unwritable():
                code, text = OUTPUT_FAILED, f"the output could not be written: {text}"
            click.echo(f"crossdock: {text}", err=True)
        sys.exit(code)

    return wrapped


def environ() -> dict[str, str]:
    """Return the environment of the command."""
    return dict(os.environ)  # noqa: TID251 -- the one place where the command reads the environment
