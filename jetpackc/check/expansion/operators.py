"""Operators: a call is replaced by the statements of the operator, with the arguments in place of its params."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from jetpackc.check.expansion.arguments import Definition, bind, substitute
from jetpackc.check.report import Report
from jetpackc.diagnostics.rules import expansion as rules
from jetpackc.diagnostics.rules import names
from jetpackc.syntax import ast
from jetpackc.syntax.rewrite import placed

Statements = tuple[ast.Statement, ...]


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
                return replace(member, members=inner)  # type: ignore[arg-type]
            case ast.Enter() | ast.On() | ast.Timer():
                clause = replace(member.clause, body=self.block(member.clause.body, ()))
                return replace(member, clause=clause)
            case ast.Exit() | ast.Removed():
                return replace(member, body=self.block(member.body, ()))
            case _:
                return member

    def block(self, statements: Statements, inside: tuple[str, ...]) -> Statements:
        """The statements, without operators. `inside` names those that are being expanded, from the outermost."""
        return tuple(new for statement in statements for new in self._statement(statement, inside))

    def _statement(self, statement: ast.Statement, inside: tuple[str, ...]) -> Statements:
        if isinstance(statement, ast.Apply):
            return self._apply(statement, inside)
        if isinstance(statement, ast.When):
            branches = (replace(one, body=self.block(one.body, inside)) for one in statement.branches)
            return (replace(statement, branches=tuple(branches)),)
        return (statement,)

    def _apply(self, call: ast.Apply, inside: tuple[str, ...]) -> Statements:
        name = call.operator.text
        operator = self.known.get(name)
        if operator is None:
            self.report.unknown(names.UNKNOWN_OPERATOR, "operator", name, call.operator.span, self.known)
            return ()
        if name in inside:
            self._endless(operator, (*inside, name))
            return ()
        definition = Definition("operator", operator.name, operator.params, name in self.shipped)
        bound = bind(definition, call.arguments, call.span, self.report)
        if bound is None:
            return ()
        body = placed(operator.body, call.span) if definition.shipped else operator.body
        return self.block(substitute(body, bound), (*inside, name))

    def _endless(self, operator: ast.Operator, path: tuple[str, ...]) -> None:
        message = f"operator `{operator.name.text}` contains itself"
        trace = " -> ".join(path[path.index(operator.name.text) :])
        self.report.add(rules.ENDLESS_EXPANSION, message, operator.name.span, f"expands for ever: {trace}")
