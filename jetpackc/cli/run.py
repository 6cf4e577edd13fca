"""Runs one command and turns whatever it raises into a message and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from jetpackc.cli.app import app
from jetpackc.cli.errors import Failure, explained

INTERRUPTED = 130
INTERNAL = 70


def run(arguments: Sequence[str]) -> int:
    """The exit code of `jetpackc ARGUMENTS`. Raises nothing."""
    try:
        code = app.main(list(arguments), prog_name="jetpackc", standalone_mode=False)
        sys.stdout.flush()
    except Failure as error:
        error.show()
        return error.code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the flush at exit fails as well
        return 1
    except Exception as error:
        return _failed(error)
    return code if isinstance(code, int) else 0


def _failed(error: Exception) -> int:
    told = explained(error)
    if told is not None:
        told.show()
        return told.code
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile("w", prefix="jetpackc-error-", suffix=".txt", delete=False) as file:
        traceback.print_exception(error, file=file)
    message = f"jetpackc itself failed: {type(error).__name__}"
    Failure(message, f"this is not your mistake; please report it with the file {file.name}").show()
    return INTERNAL
