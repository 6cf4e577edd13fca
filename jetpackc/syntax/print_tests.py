"""The statements of `test` blocks as text."""

from __future__ import annotations

from collections.abc import Sequence

from jetpackc.syntax import ast
from jetpackc.syntax.print_expression import arguments, expression, string

_TIMES = {None: "", 1: " once", 2: " twice"}


def test_statement(node: ast.TestStatement) -> str:
    """One statement, on its line."""
    match node:
        case ast.Create():
            alias = f" as {node.alias.text}" if node.alias is not None else ""
            return f"create {node.machine.text}{_given(node.arguments)}{alias}"
        case ast.Spawned():
            of = f" of {node.parent.text}" if node.parent is not None else ""
            return f"spawned {node.machine.text}{of} as {node.alias.text}"
        case ast.Post():
            return f"send {_of(node.task)}{node.event.text}{_given(node.arguments)}"
        case ast.Advance():
            return f"advance {expression(node.value)}"
        case ast.Expect():
            return f"expect {expression(node.condition)}"
        case ast.ExpectState():
            return f"expect {_of(node.task)}state {node.state.text}"
        case ast.ExpectSent():
            return f"expect sent {node.verdict}"
        case ast.ExpectError():
            return f"expect error {string(node.message)}"
        case ast.Stub():
            return f"stub {node.work.text} {_ending(node)}{_TIMES.get(node.times, f' {node.times} times')}"


def _ending(node: ast.Stub) -> str:
    if node.kind in ("hangs", "dies"):
        return node.kind
    if node.message is not None:
        return f"raises {expression(node.message)}"
    if node.event is not None:
        return f"returns {node.event.text}{_given(node.arguments)}"
    return f"{node.kind} {arguments(node.arguments)}"


def _given(given: Sequence[ast.Argument]) -> str:
    return arguments(given) if given else ""


def _of(task: ast.Name | None) -> str:
    return f"{task.text} " if task is not None else ""
