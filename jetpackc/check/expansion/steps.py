"""Steps: `step s { … }` is a composite state `s` with a leaf that waits for a worker and a leaf that is worked in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from jetpackc.check.expansion.arguments import Definition, bind
from jetpackc.check.expansion.merge import unshadowed
from jetpackc.check.report import Report
from jetpackc.diagnostics.rules import expansion as rules
from jetpackc.records import replace
from jetpackc.source import Span
from jetpackc.syntax import ast

_OF_RUN = frozenset(("SUCCESS", "ERROR", "RELEASED", "SNOOZE", "TIMEOUT", "LEASE_EXPIRED"))
"""Events that come from the run: the clauses on them stand in the running leaf, the user's before the step's own."""

_CAP = 3_600_000
"""The longest pause between two attempts where only the shortest is given: an hour, in milliseconds."""


def without_steps(members: Sequence[ast.MachineMember], report: Report) -> tuple[ast.MachineMember, ...]:
    """The members of a machine with each step turned into states; also those inside other states."""
    return tuple(_member(member, report) for member in members)  # type: ignore[misc]


def _member(member: ast.MachineMember | ast.StateMember, report: Report) -> ast.MachineMember | ast.StateMember:
    if isinstance(member, ast.Step):
        return _Step(member, report).state()
    if isinstance(member, ast.State):
        inner = tuple(_member(one, report) for one in member.members)
        return ast.State(member.kinds, member.names, member.was, inner, member.doc, member.span)  # type: ignore[arg-type]
    return member


class _Step:
    """One step. Everything it adds stands at the step's name."""

    def __init__(self, step: ast.Step, report: Report) -> None:
        self.step = step
        self.at: Span = step.name.span
        self.report = report
        self.ready = ast.Name(f"{step.name.text}.ready", self.at)
        self.running = ast.Name(f"{step.name.text}.running", self.at)

    def state(self) -> ast.State:
        """The composite."""
        if not any(isinstance(member, ast.Run) for member in self.step.members):
            message = f"step `{self.step.name.text}` does not say what to run"
            help = 'add `run "module:function"`'
            self.report.add(rules.STEP_WITHOUT_RUN, message, self.at, "has no `run`", help=help)
        around, inside = self._split()
        zero = ast.Set(ast.Name("attempts", self.at), ast.Constant("int", "0", self.at), self.at)
        reset = ast.Enter(ast.Clause(None, None, (zero,), self.at), self.at)
        members = (reset, *around, self._ready(), self._running(inside))
        kinds = ("initial",) if self.step.initial else ()
        step = self.step
        return ast.State(kinds, (step.name,), step.was, members, step.doc, step.span)  # type: ignore[arg-type]

    def _split(self) -> tuple[list[ast.StateMember], list[ast.StateMember]]:
        """What belongs to the step as a whole, and what to its running leaf."""
        around: list[ast.StateMember] = []
        inside: list[ast.StateMember] = []
        for member in self.step.members:
            if isinstance(member, ast.On):
                outcomes = tuple(event for event in member.events if event.text in _OF_RUN)
                others = tuple(event for event in member.events if event.text not in _OF_RUN)
                inside += [replace(member, events=outcomes)] if outcomes else []
                around += [replace(member, events=others)] if others else []
            else:
                (inside if isinstance(member, ast.Run | ast.Timeout) else around).append(member)
        return around, inside

    def _ready(self) -> ast.State:
        count = ast.Increment(ast.Name("attempts", self.at), self.at)
        claim = self._on("LOCKED_BY_WORKER", self._goto(self.running), (count,))
        return ast.State(("initial",), (self.ready,), None, (claim,), "", self.at)

    def _running(self, inside: list[ast.StateMember]) -> ast.State:
        members = cast("tuple[ast.StateMember, ...]", (*inside, *unshadowed(inside, self._added())))
        return ast.State((), (self.running,), None, members, "", self.at)

    def _added(self) -> list[ast.On]:
        back = ast.Set(
            ast.Name("attempts", self.at),
            ast.Binary("-", self._attempts(), ast.Constant("int", "1", self.at), self.at),
            self.at,
        )
        interval = ast.TypeName(ast.Name("interval", self.at), False, False, self.at)
        delay = ast.Field(ast.Name("delay", self.at), interval, None, self.at)
        snooze = self._goto(self.ready, ast.Variable("delay", self.at))
        return [
            *self._retries(),
            self._on("RELEASED", self._goto(self.ready), (back,)),
            self._on("SNOOZE", snooze, (back,), fields=(delay,)),
        ]

    def _retries(self) -> list[ast.On]:
        bound = self._arguments()
        if bound is None:
            return []
        guard = ast.Binary("<", self._attempts(), bound["max_attempts"], self.at)
        give_up = ast.Raise(ast.Name("ABANDONED", self.at), self.at)
        again = self._goto(self.ready, self._pause(bound))
        return [self._on("ERROR", again, (), guard=guard), self._on("ERROR", None, (give_up,))]

    def _pause(self, bound: Mapping[str, ast.Expr]) -> ast.Expr | None:
        if "backoff" not in bound:
            return None
        cap = ast.Argument(ast.Name("cap", self.at), bound["cap"], None, self.at)
        given = (bound["backoff"], self._attempts())
        plain = tuple(ast.Argument(None, value, None, value.span) for value in given)
        return ast.Call(ast.Variable("backoff", self.at), (*plain, cap), self.at)

    def _arguments(self) -> Mapping[str, ast.Expr] | None:
        """`max_attempts`, and `backoff` with its `cap`, which the range `a..b` gives."""
        step, caps, arguments = self.step, [], []
        for index, argument in enumerate(step.arguments):
            is_backoff = argument.name.text == "backoff" if argument.name is not None else index == 1
            if is_backoff and argument.upper is not None:
                caps.append(argument.upper)
                argument = ast.Argument(argument.name, argument.value, None, argument.span)  # noqa: PLW2901
            arguments.append(argument)
        params = (self._param("max_attempts", "int", "int", "1"), self._param("backoff", "interval", "duration", -1))
        definition = Definition("step", step.name, params, shipped=True)
        found = bind(definition, arguments, step.name.span, self.report)
        if found is None:
            return None
        bound = {name: value for name, value in found.items() if isinstance(value, ast.Ascribed)}
        if isinstance(bound["backoff"].value, ast.Constant) and bound["backoff"].value.value == -1:
            return {"max_attempts": bound["max_attempts"]}
        cap = caps[0] if caps else ast.Constant("duration", _CAP, self.at)
        of_cap = ast.Ascribed(cap, params[1].type, params[1].name, "step", cap.span)
        return {**bound, "cap": of_cap}

    def _param(self, name: str, type_: str, kind: str, default: str | int) -> ast.Field:
        typed = ast.TypeName(ast.Name(type_, self.at), False, False, self.at)
        value = ast.Constant(kind, default, self.at)  # type: ignore[arg-type]
        return ast.Field(ast.Name(name, self.at), typed, value, self.at)

    def _attempts(self) -> ast.Variable:
        return ast.Variable("attempts", self.at)

    def _goto(self, target: ast.Name, delay: ast.Expr | None = None) -> ast.Goto:
        return ast.Goto(target, delay, self.at)

    def _on(
        self,
        event: str,
        target: ast.Goto | None,
        body: tuple[ast.Statement, ...],
        *,
        guard: ast.Expr | None = None,
        fields: tuple[ast.Field, ...] | None = None,
    ) -> ast.On:
        clause = ast.Clause(guard, target, body, self.at)
        return ast.On((ast.Name(event, self.at),), fields, clause, self.at)
