"""What machines say to each other and wait for, from the tree: much of it the IR has no room for yet.

So these checks speak beside J090, about the parts of the language that this version does not compile.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field

from jetpackc.check.report import Report
from jetpackc.diagnostics.model import Fix
from jetpackc.diagnostics.rules import flow as rules
from jetpackc.diagnostics.suggest import did_you_mean
from jetpackc.ir import chart
from jetpackc.records import dataclass
from jetpackc.source import Span
from jetpackc.syntax import ast

_OF_CHILDREN = frozenset(("SUBTREE_UPDATE", "SUBTREE_FLUSHED", "CHILD_DONE"))
_TREES = frozenset(("subtree", "children"))


@dataclass(slots=True)
class _Machine:
    """What one machine handles and sends, which children it has, and where it looks at them."""

    node: ast.Machine
    handled: set[str] = field(default_factory=set)
    sends: list[ast.Send] = field(default_factory=list)
    has_children: bool = False
    waits: list[tuple[Span, str]] = field(default_factory=list)


def check_company(machines: Sequence[ast.Machine], report: Report) -> frozenset[str]:
    """Report events that are sent and never handled, and waiting for children that are never spawned, among all
    machines; the events that are sent."""
    found = [_survey(node) for node in machines]
    handled = {event for machine in found for event in machine.handled}
    for machine in found:
        for send in machine.sends:
            _check_send(send, handled, report)
        for span, what in machine.waits if not machine.has_children else ():
            if span in machine.node.span:
                _childless(machine.node, span, what, report)
    return frozenset(send.event.text for machine in found for send in machine.sends)


def _check_send(send: ast.Send, handled: set[str], report: Report) -> None:
    event = send.event
    if event.text in chart.LIFECYCLE:
        message = f"`{event.text}` cannot be sent"
        help = "declare an event of your own for it"
        report.add(rules.LIFECYCLE_EVENT, message, event.span, "dispatched by Jetpack itself", help=help)
    elif event.text not in handled:
        near = did_you_mean(event.text, handled - chart.LIFECYCLE)
        message = f"`{event.text}` is sent, and no machine handles it"
        label = f"did you mean `{near}`?" if near else "nobody listens"
        help = "" if near else f"handle it with `on {event.text}`, or say `ignore {event.text}` where that is meant"
        fixes = [Fix(f"change to `{near}`", event.span, near)] if near else []
        report.add(rules.UNHANDLED_SEND, message, event.span, label, help=help, fixes=fixes)


def _childless(machine: ast.Machine, span: Span, what: str, report: Report) -> None:
    message = f"{what} is about children, and machine `{machine.name.text}` spawns none"
    help = "`spawn` a child somewhere, or remove this; what `spawn root` makes is no child"
    report.add(rules.NO_CHILDREN, message, span, "nothing to wait for", help=help)


# ---------------------------------------------------------------- the survey


def _survey(node: ast.Machine) -> _Machine:
    found = _Machine(node)
    for member in _members(node.members):
        match member:
            case ast.On(events=events):
                found.handled.update(event.text for event in events)
                found.waits += [(event.span, f"`{event.text}`") for event in events if event.text in _OF_CHILDREN]
                _clause(member.clause, found)
            case ast.Enter(clause=clause) | ast.Timer(clause=clause):
                _clause(clause, found)
            case ast.Exit(body=body):
                _block(body, found)
            case ast.Ignore(events=events) | ast.Defer(events=events):
                found.handled.update(event.text for event in events)
            case _:
                pass
    return found


def _members(members: Iterable[ast.MachineMember | ast.StateMember]) -> Iterator[ast.MachineMember | ast.StateMember]:
    """Every member of a machine and of the states in it."""
    for member in members:
        if isinstance(member, ast.State):
            yield from _members(member.members)
        else:
            yield member


def _clause(clause: ast.Clause, found: _Machine) -> None:
    _guard(clause.guard, found)
    _block(clause.body, found)


def _block(body: Iterable[ast.Statement], found: _Machine) -> None:
    for statement in body:
        match statement:
            case ast.Send():
                found.sends.append(statement)
            case ast.Spawn(root=root):
                found.has_children = found.has_children or not root
            case ast.When(branches=branches):
                for arm in branches:
                    _guard(arm.guard, found)
                    _block(arm.body, found)
            case _:
                pass


def _guard(guard: ast.Expr | None, found: _Machine) -> None:
    """Where a guard looks at `subtree` or `children`."""
    match guard:
        case ast.Binary(left=left, right=right):
            _guard(left, found)
            _guard(right, found)
        case ast.Unary(operand=operand) | ast.In(operand=operand) | ast.Cast(operand=operand):
            _guard(operand, found)
        case ast.Call(function=ast.Member(base=ast.Variable(name=name)) as function) if name in _TREES:
            found.waits.append((function.span, f"`{name}.{function.name.text}`"))
        case _:
            pass
