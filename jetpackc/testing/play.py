"""Plays one test: its statements one after the other, all work done in between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import timedelta
from typing import Any, NoReturn

import psycopg
from jetpack_runtime import Sent, sql as runtime

from jetpackc.check.report import listed
from jetpackc.diagnostics.model import Diagnostic, Rule
from jetpackc.diagnostics.rules import tests as rules
from jetpackc.ir import model as ir
from jetpackc.ir.news import News
from jetpackc.ir.text import expression
from jetpackc.records import dataclass
from jetpackc.source import Span
from jetpackc.testing import questions
from jetpackc.testing.model import FailedError
from jetpackc.testing.stage import MOST_JOBS, EndlessError, Stage, UnstubbedError
from jetpackc.testing.stubs import Answer

_SHORT = 80


@dataclass
class Play:
    """A test on its stage. `tasks` are those created or named: machine and id, None where the database refused it."""

    test: ir.Test
    stage: Stage
    news: News
    tasks: list[tuple[str, int | None]] = field(default_factory=list)
    sent: Sent | None = None
    error: str | None = None
    """What the last statement was refused with."""

    def run(self) -> None:
        """Play it to its end. Raises FailedError."""
        for index, step in enumerate(self.test.steps):
            try:
                self._step(step, self._refusal_expected(index))
            except UnstubbedError as error:
                self._unstubbed(step, error)
            except EndlessError as error:
                message = f"one statement led to more than {MOST_JOBS} jobs, and still there is work"
                help = "let it wait before it goes round again: `-> s in 1m`"
                self._fail(rules.ENDLESS_WORK, message, step.span, "goes on for ever", help=help, about=[error.id])

    def _refusal_expected(self, index: int) -> bool:
        """Whether one of the expectations right behind a statement is that it is refused."""
        for step in self.test.steps[index + 1 :]:
            if isinstance(step, ir.TestError):
                return True
            if not isinstance(step, ir.TestExpect | ir.TestState | ir.TestSent):
                return False
        return False

    def _step(self, step: ir.TestStep, refusal_expected: bool) -> None:
        match step:
            case ir.TestCreate() | ir.TestSend():
                self._act(step, refusal_expected)
            case ir.TestSpawned():
                self._spawned(step)
            case ir.TestAdvance():
                self.stage.advance(self._length(step))
            case ir.TestExpect():
                self._expect(step)
            case ir.TestState():
                self._state(step)
            case ir.TestSent():
                self._sent(step)
            case ir.TestError():
                self._error(step)
            case ir.TestStub():
                self._stub(step)

    # ------------------------------------------------------------ what happens

    def _act(self, step: ir.TestCreate | ir.TestSend, refusal_expected: bool) -> None:
        self.error, self.sent = None, None
        try:
            if isinstance(step, ir.TestCreate):
                self.tasks.append((step.machine, None))
                self.tasks[-1] = (step.machine, self._create(step))
            else:
                self._send(step)
        except psycopg.Error as error:
            self.error = error.diag.message_primary or str(error)
            if not refusal_expected:
                about = [] if isinstance(step, ir.TestCreate) else [self._task(step.task, step.span)[1]]
                hint = error.diag.message_hint or ""
                self._fail(
                    rules.REFUSED_STATEMENT,
                    f"it is refused: {self.error}",
                    step.span,
                    "refused",
                    help=hint,
                    about=about,
                )
        self.stage.settle()

    def _create(self, step: ir.TestCreate) -> int:
        module, _, machine = step.machine.partition(".")
        task = self._ask(questions.payload(step.arguments, module))
        id: int = self._ask(runtime.of(module, machine).create, (f"[{task}]",))
        return id

    def _spawned(self, step: ir.TestSpawned) -> None:
        parent = None if step.parent is None else self._task(step.parent, step.span)[1]
        rows = self.stage.connection.execute(questions.tasks(step.machine), {"parent": parent}).fetchall()
        named = {id for _, id in self.tasks}
        nameless = [id for (id,) in rows if id not in named]
        if not nameless:
            self._not_spawned(step, parent, "other " if rows else "")
        self.tasks.append((step.machine, nameless[0]))

    def _send(self, step: ir.TestSend) -> None:
        machine, id = self._task(step.task, step.span)
        module, _, name = machine.partition(".")
        payload = self._ask(questions.payload(step.arguments, module))
        row = self.stage.connection.execute(runtime.of(module, name).send, (id, step.event, payload, None)).fetchone()
        assert row is not None
        self.sent = Sent(*row)

    def _stub(self, step: ir.TestStub) -> None:
        for machine, leaf in step.works:
            payload = self._ask(questions.payload(step.arguments, machine.partition(".")[0]))
            self.stage.stubs.add((machine, leaf), Answer(step.event, payload, step.dies), step.times)

    def _length(self, step: ir.TestAdvance) -> timedelta:
        found: timedelta = self._ask(questions.length(step.value, "jet"))
        if found < timedelta():
            self._fail(rules.REFUSED_STATEMENT, "time does not go back", step.span, "a negative length of time")
        return found

    def _ask(self, statement: Any, params: Sequence[object] | None = None) -> Any:
        text = statement if isinstance(statement, bytes) else str(statement).encode()
        row = self.stage.connection.execute(text, params).fetchone()
        assert row is not None
        return row[0]

    def _task(self, number: int, span: Span) -> tuple[str, int]:
        """The machine and the id."""
        machine, id = self.tasks[number]
        if id is None:
            self._fail(rules.REFUSED_STATEMENT, "this task was refused when it was to be created", span, "no task")
        return machine, id

    # ------------------------------------------------------------ what is expected

    def _expect(self, step: ir.TestExpect) -> None:
        task = self._task(step.task, step.span)
        others = {name: self._task(number, step.span) for name, number in step.others}
        about = sorted({id for _, id in (task, *others.values())})
        try:
            asked = questions.condition(step.condition, task, others, self.news)
            row = self.stage.connection.execute(asked.encode()).fetchone()
        except psycopg.Error as error:
            message = f"it cannot be told: {error.diag.message_primary}"
            self._fail(rules.FAILED_EXPECTATION, message, step.span, "fails", about=about)
        assert row is not None
        if not row[0]:
            parts = questions.parts(step.condition)
            found = [f"`{expression(part)}` is {_shown(text)}" for part, text in zip(parts, row[1], strict=True)]
            actual = ", ".join(found) or "it is false"
            self._fail(rules.FAILED_EXPECTATION, "this does not hold", step.span, actual, about=about)

    def _state(self, step: ir.TestState) -> None:
        machine, id = self._task(step.task, step.span)
        module, _, name = machine.partition(".")
        row = self.stage.connection.execute(runtime.of(module, name).state, (id,)).fetchone()
        assert row is not None
        state, stuck = row
        if state not in step.leaves:
            message = f"the task is in `{state}`, not in `{step.state}`"
            notes = [f"it is stuck: {stuck.get('error')}"] if stuck else []
            self._fail(rules.FAILED_EXPECTATION, message, step.span, f"it is in `{state}`", notes=notes, about=[id])

    def _sent(self, step: ir.TestSent) -> None:
        about = [id for _, id in self.tasks if id is not None]
        if self.sent is None:
            message = f"it cannot be told, for sending failed: {self.error}"
            self._fail(rules.FAILED_EXPECTATION, message, step.span, "not even sent", about=about)
        found = _verdict(self.sent)
        if found != step.verdict:
            message = f"the event was {found}" + (f": {self.sent.reason}" if self.sent.reason else "")
            self._fail(rules.FAILED_EXPECTATION, message, step.span, f"it was {found}", about=about)

    def _error(self, step: ir.TestError) -> None:
        about = [id for _, id in self.tasks if id is not None]
        if self.error is None:
            message = "nothing was refused"
            self._fail(rules.FAILED_EXPECTATION, message, step.span, "there was no error", about=about)
        elif step.message not in self.error:
            message = "it was refused for another reason"
            self._fail(rules.FAILED_EXPECTATION, message, step.span, f"it was: {self.error}", about=about)

    # ------------------------------------------------------------ failing

    def _not_spawned(self, step: ir.TestSpawned, parent: int | None, other: str) -> NoReturn:
        machine = step.machine.partition(".")[2]
        message = f"no {other}`{machine}` has been spawned" if parent is None else f"it has no {other}child `{machine}`"
        about = [id for _, id in self.tasks if id is not None] if parent is None else [parent]
        self._fail(rules.NOT_SPAWNED, message, step.span, f"there is no {other or 'such '}task", about=about)

    def _unstubbed(self, step: ir.TestStep, error: UnstubbedError) -> NoReturn:
        names = [one.name for one in error.lacking]
        handler = (error.leaf.run or "").rpartition(":")[2]
        message = f"the handler of `{error.leaf.name}` answers with {listed(names, 'and')}, and no `stub` says what"
        written = ", ".join(f"{name}: …" for name in names)
        help = f"write `stub {handler} returns ({written})` above"
        self._fail(rules.UNSTUBBED_WORK, message, step.span, "worked here", help=help, about=[error.id])

    def _fail(
        self,
        rule: Rule,
        message: str,
        span: Span,
        label: str,
        *,
        notes: Sequence[str] = (),
        help: str = "",
        about: Sequence[int] = (),
    ) -> NoReturn:
        said = Diagnostic(rule, f"in test `{self.test.name}`: {message}", span, label, (), tuple(notes), help)
        raise FailedError(said, label if rule is rules.FAILED_EXPECTATION else message, about)


def _verdict(sent: Sent) -> str:
    """A state that does not take an event ignores it; what is unique may refuse one that the state would take."""
    if sent.applied:
        return "applied"
    return "refused" if (sent.reason or "").startswith("unique") else "ignored"


def _shown(text: str | None) -> str:
    if text is None:
        return "null"
    short = text if len(text) <= _SHORT else f"{text[: _SHORT - 1]}…"
    return f"`{short}`"


def machines_of(program: ir.Program) -> Mapping[str, ir.Machine]:
    """All machines, as `module.machine`."""
    return {f"{module.name}.{machine.name}": machine for module in program.modules for machine in module.machines}
