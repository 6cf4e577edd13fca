"""What the package shows."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import jetpack_runtime
import pytest


def test_the_public_names_are_these() -> None:
    assert jetpack_runtime.__all__ == [
        "AsyncClient",
        "BadValue",
        "Client",
        "DatabaseError",
        "DatabaseUnreachable",
        "Event",
        "HandlerError",
        "Hop",
        "JetpackError",
        "NewerDatabase",
        "NotMigrated",
        "PlainTask",
        "Refused",
        "Sent",
        "Task",
        "TaskNotFound",
        "TaskStuck",
        "TaskView",
        "TransitionFailed",
        "UniqueConflict",
        "UnknownMachine",
        "WaitTimeout",
        "Worker",
        "run_worker",
    ]


@pytest.mark.parametrize("name", jetpack_runtime.__all__)
def test_every_public_name_has_a_docstring(name: str) -> None:
    assert getattr(jetpack_runtime, name).__doc__


def test_every_error_is_a_jetpack_error_and_drawn_in_the_tree() -> None:
    errors = [
        value for value in vars(jetpack_runtime).values() if isinstance(value, type) and issubclass(value, Exception)
    ]
    assert len(errors) > 10
    for error in errors:
        assert issubclass(error, jetpack_runtime.JetpackError)
        assert error.__name__ in (jetpack_runtime.errors.__doc__ or "")


OPTIONAL = {"otel.py": {"opentelemetry"}, "prometheus.py": {"prometheus_client"}}
"""What is imported by those alone who want it, and what that needs: the extras of the package."""


def test_it_needs_psycopg_alone() -> None:
    files = list(Path(jetpack_runtime.__file__).parent.glob("*.py"))
    assert _foreign(file for file in files if file.name not in OPTIONAL) == {"psycopg"}
    assert {file.name: _foreign([file]) for file in files if file.name in OPTIONAL} == OPTIONAL


def test_nothing_optional_is_imported_without_being_asked_for() -> None:
    names = {"opentelemetry", "prometheus_client", "http.server"}
    ask = f"import jetpack_runtime, jetpackc.cli.worker, sys; print({names} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", ask], check=True, capture_output=True, text=True).stdout == "set()\n"


def _foreign(files: Iterable[Path]) -> set[str]:
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text()))]
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and node.level == 0}
    return {name.partition(".")[0] for name in imported} - set(sys.stdlib_module_names)
