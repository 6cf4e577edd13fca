"""Where handlers are looked for, and whether they are there."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from jetpackc.cli.errors import Usage

if TYPE_CHECKING:
    from jetpackc.diagnostics.model import Diagnostic
    from jetpackc.ir import model as ir

HANDLERS_HELP = "PKG is a package, by name or by path; its parent folder is searched before the current one."


def put_on_path(package: str | None) -> None:
    """Let handlers be imported: from the current folder, and from where the package lies. Raises Usage."""
    sys.path.insert(0, str(Path.cwd()))
    if package is None:
        return
    from importlib.util import find_spec

    path = Path(package)
    if path.exists():
        sys.path.insert(0, str(path.resolve().parent))
        return
    try:
        found = find_spec(package)
    except (ImportError, ValueError):
        found = None
    if found is None:
        help = "give a package's name that can be imported from here, or its path"
        raise Usage(f"there is no package `{package}`", help)


def missing_handlers(program: ir.Program) -> tuple[Diagnostic, ...]:
    """Import what every `run` names; a diagnostic for each that is not there."""
    from jetpack_runtime.errors import HandlerError
    from jetpack_runtime.handlers import load

    from jetpackc.diagnostics.model import Diagnostic
    from jetpackc.diagnostics.rules.names import UNKNOWN_HANDLER
    from jetpackc.ir import chart

    found: list[Diagnostic] = []
    for module in program.modules:
        for machine in module.machines:
            for state in chart.running(machine):
                try:
                    load(state.run or "", f"machine `{module.name}.{machine.name}`, state `{state.name}`")
                except HandlerError as error:
                    help = error.hint or ""
                    found.append(Diagnostic(UNKNOWN_HANDLER, str(error), state.span, "worked here", help=help))
    return tuple(found)
