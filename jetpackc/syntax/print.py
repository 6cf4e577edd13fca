"""The tree as plain .jet, so that parsing it gives the tree again. Comments other than docs are not in the tree.

What is written here is which tokens there are and which blocks take several lines; `format` lays them out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from jetpackc.source import Source
from jetpackc.syntax import ast
from jetpackc.syntax.format import format_source
from jetpackc.syntax.literals import duration
from jetpackc.syntax.precedence import POSTFIX
from jetpackc.syntax.print_expression import arguments, expression, string, type_name
from jetpackc.syntax.print_tests import test_statement


def print_file(file: ast.File) -> str:
    """The whole file as `jetpackc fmt` leaves it: a blank line between items and around what takes several lines."""
    written = "\n\n".join("\n".join(_item(item)) for item in file.items)
    text, diagnostics = format_source(Source(file.path, written))
    if text is None:
        raise ValueError(f"a tree that has no text: {diagnostics[0].message}")
    return text


# ---------------------------------------------------------------- items of a file


def _item(item: ast.Item) -> list[str]:
    match item:
        case ast.Module():
            return [*_doc(item.doc), f"module {item.name.text}"]
        case ast.Import():
            return [f"import {string(item.path)}"]
        case ast.Enum():
            return [*_doc(item.doc), f"enum {item.name.text} {{ {_names(item.values)} }}"]
        case ast.Event():
            return [*_doc(item.doc), f"event {item.name.text}{_fields(item.fields) if item.fields else ''}"]
        case ast.Operator():
            return [*_doc(item.doc), *_block(f"operator {item.name.text}{_fields(item.params)}", _body(item.body))]
        case ast.Template():
            return [*_doc(item.doc), *_members(f"template {_head(item)}", item.members, bare=False)]
        case ast.Machine():
            return [*_doc(item.doc), *_members(f"machine {_machine(item)}", item.members, bare=True)]
        case ast.Schedule():
            return [*_doc(item.doc), _schedule(item)]
        case ast.Allow():
            return [_allow(item)]
        case ast.Test():
            inside = [[test_statement(one)] for one in item.body]
            return [*_doc(item.doc), *_block(f"test {string(item.name)}", inside)]


def _head(item: ast.Template | ast.Machine) -> str:
    return f"{item.name.text}{_fields(item.params) if item.params else ''}"


def _machine(item: ast.Machine) -> str:
    given = arguments(item.arguments) if item.arguments else ""
    base = f" is {item.template.text}{given}" if item.template is not None else ""
    return f"{_head(item)}{_was(item.was)}{base}"


def _members(head: str, members: Sequence[ast.MachineMember], *, bare: bool) -> list[str]:
    """A machine's members, those of several lines set off by blank ones."""
    if bare and not members:
        return [head]
    written = [_member(member) for member in members]
    for index in range(len(written) - 1, 0, -1):
        if len(written[index - 1]) > 1 or len(written[index]) > 1:
            written[index] = ["", *written[index]]
    return _block(head, written)


def _schedule(node: ast.Schedule) -> str:
    words = ["schedule", node.name.text]
    for word, value in (("cron", node.cron), ("in", node.zone), ("every", node.every)):
        words += [word, expression(value)] if value is not None else []
    words += ["missed", node.missed.text] if node.missed is not None else []
    return " ".join([*words, _spawn(node.spawn)])


def _allow(node: ast.Allow) -> str:
    return f"allow {node.code.text} because {string(node.reason)}"


# ---------------------------------------------------------------- members of machines and states


def _member(member: ast.MachineMember | ast.StateMember) -> list[str]:
    match member:
        case ast.State() | ast.Step():
            return _state(member)
        case ast.Enter():
            return _clause("enter", member.clause)
        case ast.Exit():
            return _block("exit", _body(member.body))
        case ast.On():
            fields = "" if member.fields is None else _fields(member.fields)
            return _clause(f"on {_names(member.events)}{fields}", member.clause)
        case ast.Timer():
            return _clause(f"{member.kind} {expression(member.value)}", member.clause)
        case ast.Removed():
            return _removed(member)
        case ast.Var():
            return [*_doc(member.doc), _var(member)]
        case _:
            return [_line(member)]


def _line(
    member: ast.Run
    | ast.Timeout
    | ast.Ignore
    | ast.Defer
    | ast.Result
    | ast.Unique
    | ast.Priority
    | ast.Limit
    | ast.Fair
    | ast.Keep
    | ast.Allow,
) -> str:
    """A member that is one line whatever it holds."""
    match member:
        case ast.Run():
            return f"run {string(member.handler)}"
        case ast.Timeout():
            return f"timeout {expression(member.value)}"
        case ast.Ignore():
            return f"ignore {_names(member.events)}"
        case ast.Defer():
            return f"defer {_names(member.events)}"
        case ast.Result():
            return f"return {expression(member.value)}"
        case ast.Unique():
            return _unique(member)
        case ast.Priority():
            return f"priority {expression(member.value)}"
        case ast.Limit():
            return _limit(member)
        case ast.Fair():
            return f"fair by {member.by.text}"
        case ast.Keep():
            return f"keep {member.what.text} {duration(member.length)}"
        case ast.Allow():
            return _allow(member)


def _state(node: ast.State | ast.Step) -> list[str]:
    if isinstance(node, ast.State):
        head = f"{' '.join([*node.kinds, 'state'])} {_names(node.names)}{_was(node.was)}"
    else:
        given = arguments(node.arguments) if node.arguments else ""
        head = f"{'initial ' if node.initial else ''}step {node.name.text}{given}{_was(node.was)}"
    members = _block(head, [_member(member) for member in node.members]) if node.members else [head]
    return [*_doc(node.doc), *members]


def _removed(node: ast.Removed) -> list[str]:
    head = f"removed state {node.name.text}"
    match node.body:
        case (ast.Goto() as goto,):
            return [f"{head} {_goto(goto)}"]
        case _:
            return _block(head, _body(node.body))


def _var(node: ast.Var) -> str:
    default = f" = {expression(node.default)}" if node.default is not None else ""
    return f"var {node.name.text}: {type_name(node.type)}{_was(node.was)}{default}"


def _unique(node: ast.Unique) -> str:
    states = f" while in ({_names(node.states)})" if node.states is not None else ""
    verdict = " or return" if node.verdict == "return" else ""
    return f"unique ({_names(node.columns)}){states}{verdict}"


def _limit(node: ast.Limit) -> str:
    window = f" per {duration(node.window)}" if node.window is not None else ""
    by = f" per {node.by.text}" if node.by is not None else ""
    return f"limit {node.count}{window}{by}"


# ---------------------------------------------------------------- clauses and statements


def _clause(head: str, clause: ast.Clause) -> list[str]:
    head = f"{head} when {expression(clause.guard)}" if clause.guard is not None else head
    if clause.target is None:
        return _short_body(head, clause.body, arrow=False)
    head = f"{head} {_goto(clause.target)}"
    return _block(head, _body(clause.body)) if clause.body else [head]


def _short_body(head: str, body: tuple[ast.Statement, ...], *, arrow: bool) -> list[str]:
    """A body that may be an operator or, where `arrow` says so, an arrow in place of a block."""
    match body:
        case (ast.Apply() as call,):
            return [f"{head} {_apply(call)}"]
        case (ast.Goto() as goto,) if arrow:
            return [f"{head} {_goto(goto)}"]
        case _:
            return _block(head, _body(body))


def _body(statements: Iterable[ast.Statement]) -> list[list[str]]:
    return [_when(one) if isinstance(one, ast.When) else [_statement(one)] for one in statements]


def _when(node: ast.When) -> list[str]:
    lines: list[str] = []
    for index, branch in enumerate(node.branches):
        words = ["else"] if index else []
        words += ["when", expression(branch.guard)] if branch.guard is not None else []
        arm = _short_body(" ".join(words), branch.body, arrow=True)
        if lines and lines[-1] == "}":
            lines[-1:] = [f"}} {arm[0]}", *arm[1:]]
        else:
            lines += arm
    return lines


def _statement(
    node: ast.Goto | ast.Set | ast.Increment | ast.Fail | ast.Raise | ast.Spawn | ast.Send | ast.Apply,
) -> str:
    match node:
        case ast.Goto():
            return _goto(node)
        case ast.Set():
            return f"set {node.name.text} = {expression(node.value)}"
        case ast.Increment():
            return f"increment {node.name.text}"
        case ast.Fail():
            return f"fail {expression(node.message)}"
        case ast.Raise():
            return f"raise {node.event.text}"
        case ast.Spawn():
            return _spawn(node)
        case ast.Send():
            given = arguments(node.arguments) if node.arguments else ""
            return f"send {expression(node.receiver, POSTFIX)} {node.event.text}{given}"
        case ast.Apply():
            return _apply(node)


def _goto(node: ast.Goto) -> str:
    if node.target is None:
        return "reenter"
    return f"-> {node.target.text}{_delay(node.delay)}"


def _delay(delay: ast.Expr | None) -> str:
    return f" in {expression(delay)}" if delay is not None else ""


def _spawn(node: ast.Spawn) -> str:
    alias = f" as {node.alias.text}" if node.alias is not None else ""
    each = f" for {node.item.text} in {expression(node.items)}" if node.item is not None and node.items else ""
    head = f"spawn {'root ' if node.root else ''}{node.machine.text}{arguments(node.arguments)}"
    return f"{head}{alias}{_delay(node.delay)}{each}"


def _apply(node: ast.Apply) -> str:
    return f"{node.operator.text}{arguments(node.arguments)}"


# ---------------------------------------------------------------- small parts


def _doc(doc: str) -> list[str]:
    return [f"/// {line}".rstrip() for line in doc.split("\n")] if doc else []


def _names(names: Iterable[ast.Name]) -> str:
    return ", ".join(name.text for name in names)


def _fields(fields: Iterable[ast.Field]) -> str:
    nodes = tuple(fields)
    if not any(node.doc for node in nodes):
        return f"({', '.join(map(_field, nodes))})"
    lines = (line for node in nodes for line in (*_doc(node.doc), f"{_field(node)},"))
    return "\n".join(("(", *lines, ")"))


def _field(node: ast.Field) -> str:
    default = f" = {expression(node.default)}" if node.default is not None else ""
    return f"{node.name.text}: {type_name(node.type)}{default}"


def _was(name: ast.Name | None) -> str:
    return f" was {name.text}" if name is not None else ""


def _block(head: str, inside: Sequence[list[str]]) -> list[str]:
    """A head and what stands in braces behind it, on one line if it is one line itself."""
    if not inside:
        return [f"{head} {{}}"]
    if len(inside) == 1 and len(inside[0]) == 1 and "\n" not in inside[0][0]:
        return [f"{head} {{ {inside[0][0]} }}"]
    return [f"{head} {{", *(line for lines in inside for line in lines), "}"]
