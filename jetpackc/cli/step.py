"""`run`: a machine stepped through events by the reference interpreter, with no database."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from uuid import UUID

import click

from jetpackc.cli.errors import Failure, Usage
from jetpackc.cli.machines import event_fields, fields_of, from_manifest, interval, named, values
from jetpackc.cli.output import dim, fault, strong
from jetpackc.cli.project import compile_or_fail
from jetpackc.records import dataclass, replace

if TYPE_CHECKING:
    from jetpackc.interpret import Hop, Task, World
    from jetpackc.ir import model as ir

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
LINE = timedelta(seconds=1)
MOST_TIMERS = 10_000
"""Timers that one line may fire. More are a circle."""
ROUNDS = 1_000
ACTOR, WORKER = "you", "worker"
_FORMS = "a line is `EVENT field=value …`, `ID EVENT …`, `claim`, `advance 1h` or `retry ID`"


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--machine", help="Which machine, where the file has several [the first].")
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="A param of the task.")
@click.option("--events", type=click.File("r"), help="What happens to it, a line each; `-` is stdin.")
@click.option("--json", "as_json", is_flag=True, help="For programs: a line each hop and each task.")
def run(file: Path, machine: str | None, params: tuple[str, ...], events: IO[str] | None, as_json: bool) -> int:
    """Create a task of a machine in FILE and step it through events, with no database.

    \b
    jetpackc run shop.jet --param order_id=7 --param email=ada@example.org
    jetpackc run shop.jet --machine checkout --events story.txt
    echo 'PAID amount=12.50' | jetpackc run shop.jet --events - --json

    \b
    A line of events is one of
      PAID amount=12.50 method=card    send an event to the first task
      2 CANCEL                         send it to task 2
      claim                            a worker takes what can be claimed
      SUCCESS receipt=r.pdf            the handler of the first task returns
      2 ERROR message=boo              that of task 2 raises
      advance 24h                      time goes on; timers fire
      retry 2                          take a stuck task up again
    A line takes a second. Exits 1 where one could not be done.
    """
    program, _ = compile_or_fail((file,))
    story = Story(program, _Show(as_json))
    story.create(machine, params)
    for number, line in enumerate(events or (), 1):
        story.line(line, number)
    story.end()
    return int(story.failed)


@dataclass(frozen=True, slots=True)
class _Show:
    """Prints hops, failures and tasks, for people or as JSON."""

    as_json: bool

    def hop(self, hop: Hop, machine: str, kinds: Mapping[str, str]) -> None:
        from jetpackc.values.convert import json_text, to_json
        from jetpackc.values.text import text

        changed = {name: to_json(value, kinds[name]) for name, value in hop.changed.items()}
        at = text(hop.at - BEGINNING, "interval")
        if self.as_json:
            names = ("id", "seq", "event", "payload", "from_state", "to_state")
            found = {"at": hop.at.isoformat(), **{name: getattr(hop, name) for name in names}, "changed": changed}
            click.echo(json_text({"machine": machine, **found}))
            return
        moved = f"{hop.from_state or ''} -> {hop.to_state}" if hop.to_state else f"{hop.from_state}, nothing changed"
        details = "".join(
            f"  {word}{json_text(value)}" for word, value in (("", hop.payload), ("set ", changed)) if value
        )
        click.echo(f"{at}  {hop.id} {machine}  {f'{hop.event}  ' if hop.event else ''}{moved.strip()}{dim(details)}")

    def task(self, task: Task, kinds: Mapping[str, str]) -> None:
        from jetpackc.values.convert import json_text, to_json

        vars = {name: to_json(value, kinds[name]) for name, value in task.vars.items()}
        stuck = task.stuck.error if task.stuck else None
        if self.as_json:
            found = {"id": task.id, "machine": task.machine, "state": task.state, "attempts": task.attempts}
            click.echo(json_text({**found, "vars": vars, "stuck": stuck}))
            return
        said = f"; {fault('stuck')}: {stuck}" if stuck else ""
        click.echo(strong(f"{task.machine} {task.id}") + f" is in {task.state}{said}" + dim(f"  {json_text(vars)}"))

    def undone(self, line: str, error: Exception) -> None:
        click.echo(f"{fault('undone')}: {line}: {error}", err=True)


class Story:
    """One run: the world, and what is told of it."""

    def __init__(self, program: ir.Program, show: _Show) -> None:
        from jetpackc.emit.manifest import manifest
        from jetpackc.interpret import World

        self._world: World = World(program, BEGINNING)
        self._show = show
        self._told = 0
        self.failed = False
        every = [(module, machine) for module in program.modules for machine in module.machines]
        self._kinds = {f"{m.name}.{x.name}": {var.name: var.type.kind for var in x.vars} for m, x in every}
        self._manifests: dict[str, Any] = {f"{m.name}.{x.name}": manifest(m, x) for m, x in every}
        self._machines = {name: from_manifest(name, found) for name, found in self._manifests.items()}

    def create(self, machine: str | None, params: Sequence[str]) -> None:
        """Make the task that the story is about."""
        if not self._machines:
            raise Usage("the file has no machine", "write one: `machine name { … }`")
        found = next(iter(self._machines.values())) if machine is None else named(self._machines, machine)
        given = _json(values(f"`{found.name}`", params, found.params, found))
        self._do("create", lambda: self._world.create(found.name, given, ACTOR))
        if self.failed:
            raise click.exceptions.Exit(1)

    def line(self, line: str, number: int) -> None:
        """Do what a line says."""
        try:
            words = shlex.split(line, comments=True)
            if words:
                self._pass(self._world.now + LINE)
                self._do(line.strip(), self._meaning(words))
        except ValueError as error:  # of shlex
            raise Usage(f"line {number}: {error}".lower(), _FORMS) from None
        except Failure as error:
            raise Usage(f"line {number}: {error.message}", error.help) from None

    def end(self) -> None:
        """Tell where all stands."""
        for task in self._world.tasks.values():
            self._show.task(task, self._kinds[task.machine])

    def _do(self, line: str, act: Callable[[], object]) -> None:
        from jetpackc.interpret import UndoneError

        try:
            act()
        except UndoneError as error:
            self.failed = True
            self._show.undone(line, error)
        self._pump()
        for hop in self._world.history[self._told :]:
            machine = self._world.tasks[hop.id].machine
            self._show.hop(hop, machine, self._kinds[machine])
        self._told = len(self._world.history)

    def _pump(self) -> None:
        """Messages are there at once; tasks that answer each other without end are left to it."""
        for _ in range(ROUNDS):
            if not sum(self._world.pump(machine) for machine in self._machines):
                return

    def _meaning(self, words: list[str]) -> Callable[[], object]:
        match words:
            case ["claim"]:
                return self._claim
            case ["advance", length]:
                return self._advance(length)
            case ["retry", id] if id.isdecimal():
                task = self._task(int(id))
                return lambda: self._world.retry(task.id, ACTOR)
            case [id, event, *fields] if id.isdecimal():
                return self._event(int(id), event, fields)
            case [event, *fields] if event.isupper():
                return self._event(min(self._world.tasks), event, fields)
        raise Usage(f"`{' '.join(words)}` means nothing", _FORMS)

    def _claim(self) -> None:
        for machine in self._machines:
            self._world.claim(machine, WORKER, len(self._world.tasks))

    def _advance(self, text: str) -> Callable[[], object]:
        try:
            length = interval(text)
        except ValueError:
            raise Usage(f"`{text}` is no duration", "such as `30s` or `1h30m`") from None
        return lambda: self._advance_by(length)

    def _advance_by(self, length: timedelta) -> None:
        self._pass(self._world.now + length)
        self._world.sweep(())

    def _pass(self, end: datetime) -> None:
        """Let time go on, and each timer fire on the way at its own moment."""
        fired = 0
        while (due := self._world.next_due()) is not None and due <= end:
            self._world.now = max(due, self._world.now)
            fired += sum(self._world.fire(machine, len(self._world.tasks)) for machine in self._machines)
            if fired > MOST_TIMERS:
                raise Failure(f"more than {MOST_TIMERS} timers fire", "advance by less; is one of them `after 0s`?")
        self._world.now = end

    def _task(self, id: int) -> Task:
        if id not in self._world.tasks:
            raise Usage(f"there is no task {id}", "tasks count from 1, as they are made")
        return self._world.tasks[id]

    def _event(self, id: int, event: str, words: Sequence[str]) -> Callable[[], object]:
        from jetpackc.interpret import Event
        from jetpackc.ir.chart import LIFECYCLE

        task = self._task(id)
        machine = self._machines[task.machine]
        if event not in LIFECYCLE:
            payload = _json(values(f"`{event}`", words, event_fields(machine, event), machine))
            return lambda: self._world.send(id, event, payload, ACTOR)
        lease = task.lease
        if lease is None:
            raise Usage(f"no handler runs for task {id}, which is in `{task.state}`", "`claim` starts what can be run")
        payload = _json(values(f"`{event}`", words, self._outcome(task, event), machine))
        return lambda: self._world.resolve(WORKER, {id: (lease.token, Event(event, payload))})[id]

    def _outcome(self, task: Task, event: str) -> tuple[Any, ...]:
        found = fields_of(self._manifests[task.machine]["work"][task.state]["outcomes"].get(event, ()))
        return tuple(replace(field, required=field.required and event != "ERROR") for field in found)


def _json(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _as_json(value) for name, value in found.items()}


def _as_json(value: Any) -> Any:
    from jetpackc.values.text import text

    if isinstance(value, timedelta):
        return text(value, "interval")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return Decimal(repr(value))
    return value.hex() if isinstance(value, bytes) else str(value) if isinstance(value, UUID) else value
