"""States and their members, from the tree to the IR."""

from __future__ import annotations

import re
from collections.abc import Sequence

from jetpackc.check.expressions import typed, value
from jetpackc.check.report import Report
from jetpackc.check.scope import Scope
from jetpackc.check.signatures import Handler, Signatures
from jetpackc.check.spawn import BROKEN
from jetpackc.check.statements import Place, block, clause
from jetpackc.check.tree import Node, Tree
from jetpackc.check.types import INTERVAL, TIMESTAMPTZ
from jetpackc.diagnostics.model import Label
from jetpackc.diagnostics.rules import flow as flow_rules, syntax as syntax_rules
from jetpackc.ir import model as ir
from jetpackc.records import dataclass, replace
from jetpackc.syntax import ast

_HANDLER = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
_LATER: dict[type, str] = {
    ast.Removed: "`removed`",
}


@dataclass(frozen=True, slots=True)
class States:
    """Lowers the states of one machine. `ignored` and `deferred` are events of the whole machine."""

    tree: Tree
    signatures: Signatures
    scope: Scope
    place: Place
    ignored: tuple[str, ...]
    deferred: tuple[str, ...] = ()

    def lower(self, name: str) -> ir.State:
        """One state."""
        node = self.tree.nodes[name]
        members = node.state.members
        self._refuse_later(node)
        place = replace(self.place, owner=name)
        runs = [member for member in members if isinstance(member, ast.Run)]
        _once(runs, "run", self.scope.report)
        _check_handlers(runs, self.scope.report)
        return ir.State(
            name=name,
            kind=node.kind,
            parent=node.parent,
            initial=self.tree.initial_of(name),
            on=tuple(self.on(member, place) for member in members if isinstance(member, ast.On)),
            enter=tuple(self._enter(member, place) for member in members if isinstance(member, ast.Enter)),
            exit=tuple(self._exit(member, place) for member in members if isinstance(member, ast.Exit)),
            timers=tuple(self._timer(member, place) for member in members if isinstance(member, ast.Timer)),
            run=runs[0].handler if runs else None,
            timeout=self._timeout(members),
            ignore=self._ignore(node),
            defer=self._defer(node),
            result=self._result(node),
            doc=node.state.doc,
            span=node.name.span,
        )

    def on(self, node: ast.On, place: Place) -> ir.Clause:
        """One `on`; its event's fields are visible in it alone."""
        fields = self.signatures.shared(Handler(place.owner, node))
        scope = replace(self.scope, event=fields)
        events = tuple(dict.fromkeys(event.text for event in node.events))
        return clause(node.clause, events, scope, place, node.span)

    def _enter(self, node: ast.Enter, place: Place) -> ir.Clause:
        return clause(node.clause, (), self.scope, place, node.span)

    def _exit(self, node: ast.Exit, place: Place) -> ir.Clause:
        return ir.Clause((), None, block(node.body, self.scope, replace(place, in_exit=True)), node.span)

    def _timer(self, node: ast.Timer, place: Place) -> ir.Timer:
        """A timer. Its moment may be null: then there is none."""
        wanted = INTERVAL if node.kind == "after" else replace(TIMESTAMPTZ, optional=True)
        when = value(node.value, self.scope, wanted) or BROKEN
        return ir.Timer(node.kind, when, clause(node.clause, (), self.scope, place, node.span), node.span)

    def _timeout(self, members: Sequence[ast.StateMember]) -> ir.Expr | None:
        timeouts = [member for member in members if isinstance(member, ast.Timeout)]
        _once(timeouts, "timeout", self.scope.report)
        return (value(timeouts[0].value, self.scope, INTERVAL) or BROKEN) if timeouts else None

    def _ignore(self, node: Node) -> tuple[str, ...]:
        """The events it ignores, with those of the machine where it is outermost and no final state."""
        found = {name.text: name for each in node.state.members if isinstance(each, ast.Ignore) for name in each.events}
        self.signatures.check_ignored(found.values())
        on = [member for member in node.state.members if isinstance(member, ast.On)]
        handled = {event.text: event.span for member in on for event in member.events}
        for event, name in found.items():
            if event in handled:
                first = Label(handled[event], "handled here")
                message = f"`{event}` is both ignored and handled"
                rule = flow_rules.IGNORED_AND_HANDLED
                self.scope.report.add(rule, message, name.span, "ignored here", secondary=[first])
        outermost = node.parent is None and node.kind == "plain"
        wide = [event for event in self.ignored if outermost and event not in handled]
        return tuple(dict.fromkeys((*found, *wide)))

    def _defer(self, node: Node) -> tuple[str, ...]:
        """The events that it keeps, with those of the machine where it is outermost and no final state."""
        own = [name for each in node.state.members if isinstance(each, ast.Defer) for name in each.events]
        self.signatures.check_deferred(own)
        outermost = node.parent is None and node.kind == "plain"
        return tuple(dict.fromkeys((*(name.text for name in own), *(self.deferred if outermost else ()))))

    def _result(self, node: Node) -> ir.Expr | None:
        found = [member for member in node.state.members if isinstance(member, ast.Result)]
        _once(found, "return", self.scope.report)
        if not found:
            return None
        if node.kind == "plain":
            message = f"state `{node.name.text}` is not final, and only a task that ends returns something"
            help = "write `final` or `failure` before the state, or keep the value in a var"
            rule = flow_rules.RESULT_OF_LIVING
            self.scope.report.add(rule, message, found[0].span, "the task goes on", help=help)
        return typed(found[0].value, self.scope) or BROKEN

    def _refuse_later(self, node: Node) -> None:
        """Report the parts of the language that come later."""
        if node.state.was is not None:
            self.scope.report.unsupported("`was`", node.state.was.span)
        for member in node.state.members:
            if isinstance(member, ast.Timer) and node.kind != "plain":
                message = f"{node.kind} state `{node.name.text}` has a timer"
                help = "remove it, or let the task end in a later state"
                rule, label = flow_rules.FINAL_STATE_CLAUSE, "the task has ended here"
                self.scope.report.add(rule, message, member.span, label, help=help)
            if type(member) in _LATER:
                self.scope.report.unsupported(_LATER[type(member)], member.span)


def _check_handlers(runs: Sequence[ast.Run], report: Report) -> None:
    for run in runs:
        if not _HANDLER.fullmatch(run.handler):
            message = f"`{run.handler}` is no handler"
            help = 'name a function of a Python module: `run "shop.payments:charge"`'
            report.add(syntax_rules.BAD_HANDLER, message, run.span, "not of the form `module:function`", help=help)


def _once(members: Sequence[ast.Run] | Sequence[ast.Timeout] | Sequence[ast.Result], word: str, report: Report) -> None:
    for member in members[1:]:
        first = Label(members[0].span, "first written here")
        message = f"`{word}` is written twice"
        report.add(syntax_rules.REPEATED_CLAUSE, message, member.span, "written again", secondary=[first])
