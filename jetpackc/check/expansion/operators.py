"""Operators: a call is replaced by the statements of the operator, with the arguments in place of its params."""

from __future__ import annotations

from collections.abc import Mapping
from operator import is_

from jetpackc.check.expansion.arguments import Definition, bind, substitute
from jetpackc.check.expansion.limits import MAX_CALLS, MAX_LEVELS, MAX_PATH, TooMuchError, check_size
from jetpackc.check.report import Report
from jetpackc.diagnostics.rules import expansion as rules, names
from jetpackc.records import dataclass, replace
from jetpackc.syntax import ast
from jetpackc.syntax.rewrite import placed

Statements = tuple[ast.Statement, ...]

_WHEN = 4
"""Levels of a tree that a `when` adds."""


@dataclass(frozen=True)
class Operators:
    """All operators in reach, and which of them the prelude brings."""

    known: Mapping[str, ast.Operator]
    shipped: frozenset[str]
    report: Report

    def members(self, members: tuple[ast.MachineMember, ...]) -> tuple[ast.MachineMember, ...]:
        """The members of a machine, without operators."""
        return tuple(self._member(member) for member in members)  # type: ignore[misc]

    def _member(self, member: ast.MachineMember | ast.StateMember) -> ast.MachineMember | ast.StateMember:
        match member:
            case ast.State():
                inner = tuple(self._member(one) for one in member.members)
                if all(map(is_, inner, member.members)):
                    return member
                return replace(member, members=inner)  # type: ignore[arg-type]
            case ast.Enter() | ast.On() | ast.Timer():
                body = self._block(member.clause.body, 0)
                return (
                    member if body == member.clause.body else replace(member, clause=replace(member.clause, body=body))
                )
            case ast.Exit() | ast.Removed():
                return replace(member, body=self._block(member.body, 0))
            case _:
                return member

    def _block(self, statements: Statements, levels: int) -> Statements:
        """What somebody wrote, `levels` deep in a clause, without operators."""
        return tuple(new for statement in statements for new in self._statement(statement, levels))

    def _statement(self, statement: ast.Statement, levels: int) -> Statements:
        if isinstance(statement, ast.When):
            branches = (replace(one, body=self._block(one.body, levels + _WHEN)) for one in statement.branches)
            return (replace(statement, branches=tuple(branches)),)
        return self._call(statement, levels) if isinstance(statement, ast.Apply) else (statement,)

    def _call(self, call: ast.Apply, levels: int) -> Statements:
        try:
            found = _Call(self).statements((call,), levels, ())
            check_size(found, levels)
        except TooMuchError as error:
            message = f"operator `{call.operator.text}` {error}"
            help = "use fewer operators in each other, or smaller ones"
            self.report.add(rules.ENDLESS_EXPANSION, message, call.span, "called here", help=help)
            return ()
        return found


class _Call:
    """One call that somebody wrote, and the calls it leads to."""

    def __init__(self, operators: Operators) -> None:
        self.operators = operators
        self.calls = 0

    def statements(self, statements: Statements, levels: int, inside: tuple[str, ...]) -> Statements:
        """The statements without operators. `inside` names those that are being expanded, from the outermost."""
        if levels > MAX_LEVELS:
            raise TooMuchError("nests too deeply")
        return tuple(new for statement in statements for new in self._statement(statement, levels, inside))

    def _statement(self, statement: ast.Statement, levels: int, inside: tuple[str, ...]) -> Statements:
        if isinstance(statement, ast.Apply):
            return self._apply(statement, levels, inside)
        if isinstance(statement, ast.When):
            bodies = (self.statements(one.body, levels + _WHEN, inside) for one in statement.branches)
            branches = (replace(one, body=body) for one, body in zip(statement.branches, bodies, strict=True))
            return (replace(statement, branches=tuple(branches)),)
        return (statement,)

    def _apply(self, call: ast.Apply, levels: int, inside: tuple[str, ...]) -> Statements:
        known, report, name = self.operators.known, self.operators.report, call.operator.text
        operator = known.get(name)
        if operator is None:
            report.unknown(names.UNKNOWN_OPERATOR, "operator", name, call.operator.span, known)
            return ()
        if name in inside:
            self._endless(operator, (*inside, name))
            return ()
        self._spend(call, inside)
        definition = Definition("operator", operator.name, operator.params, name in self.operators.shipped)
        bound = bind(definition, call.arguments, call.span, report)
        if bound is None:
            return ()
        body = placed(operator.body, call.span) if definition.shipped else operator.body
        return self.statements(substitute(body, bound), levels, (*inside, name))

    def _spend(self, call: ast.Apply, inside: tuple[str, ...]) -> None:
        self.calls += 1
        if self.calls > MAX_CALLS:
            raise TooMuchError("expands to too much")
        if len(inside) >= MAX_PATH:
            raise TooMuchError("nests too deeply")
        check_size(call.arguments)

    def _endless(self, operator: ast.Operator, path: tuple[str, ...]) -> None:
        message = f"operator `{operator.name.text}` contains itself"
        trace = " -> ".join(path[path.index(operator.name.text) :])
        self.operators.report.add(rules.ENDLESS_EXPANSION, message, operator.name.span, f"expands for ever: {trace}")
