"""`send`, `cancel` and `retry` for all tasks that a filter finds, one after the other, whatever becomes of each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

import click

from jetpackc.cli.errors import Failure, Usage
from jetpackc.cli.machines import Field, Machine, interval, values
from jetpackc.cli.output import say
from jetpackc.diagnostics.suggest import did_you_mean
from jetpackc.records import dataclass

if TYPE_CHECKING:
    import psycopg
    from jetpack_runtime import Sent
    from psycopg import sql

BATCH = 200
"""Tasks of one transaction."""
PUMPS = 50
"""How often messages are pumped after a batch, a batch of them each time; workers do the rest."""
SHOWN = 20
"""How many failures are told one by one."""
Command = TypeVar("Command", bound=Callable[..., object])


class FilterOptions(TypedDict):
    """The options as click gives them."""

    where: tuple[str, ...]
    older_than: str | None
    limit: int | None
    everything: bool
    dry_run: bool
    as_json: bool


@dataclass(frozen=True, slots=True)
class Filter:
    """Which tasks of a machine are meant, as it stands on the command line."""

    where: tuple[str, ...]
    older_than: str | None
    limit: int | None
    everything: bool
    dry_run: bool
    as_json: bool

    @property
    def given(self) -> bool:
        """Whether anything of it is."""
        return self.chooses or self.dry_run or self.as_json

    @property
    def chooses(self) -> bool:
        """Whether it says which tasks."""
        return bool(self.where or self.older_than or self.everything or self.limit is not None)


def filter_options(command: Command) -> Command:
    """The options that make a Filter."""
    options = (
        click.option(
            "--where", multiple=True, metavar="FIELD=VALUE", help="Of these: a state, param or var. Repeatable."
        ),
        click.option("--older-than", metavar="DURATION", help="Only those longer in their state, such as 2d."),
        click.option("--limit", type=click.IntRange(min=1), help="At most so many, the oldest first."),
        click.option("--all", "everything", is_flag=True, help="All tasks, where nothing else is asked for."),
        click.option("--dry-run", is_flag=True, help="Change nothing; print the ids."),
        click.option("--json", "as_json", is_flag=True, help="For programs."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@dataclass(slots=True)
class Outcome:
    """What became of the tasks."""

    matched: int = 0
    applied: int = 0
    unchanged: int = 0
    failed: list[dict[str, Any]] = field(default_factory=list)


def each(
    connection: psycopg.Connection, machine: Machine, chosen: Filter, do: Callable[[int], Sent], *, stuck: bool = False
) -> int:
    """Do it to each task of a filter: a batch is a transaction, and what fails fails alone. The exit code.

    Raises Usage, Failure, psycopg.OperationalError.
    """
    if not chosen.chooses:
        raise Usage(
            f"which tasks of `{machine.name}`?", "say `--where FIELD=VALUE`, `--older-than`, `--limit`, or `--all`"
        )
    batches = _batches(connection, machine, chosen, stuck)
    if chosen.dry_run:
        return _dry(batches, chosen.as_json)
    outcome = Outcome()
    for ids in batches:
        with connection.transaction():
            for id in ids:
                _one(connection, id, do, outcome)
        _pump(connection)
        outcome.matched += len(ids)
        if len(ids) == BATCH:
            say(f"{outcome.matched} tasks so far")
    return _told(outcome, chosen.as_json, "stuck task" if stuck else "task")


def _pump(connection: psycopg.Connection) -> None:
    """What the batch told other tasks reaches them without a worker too."""
    for _ in range(PUMPS):
        row = connection.execute("select jet.tick(%s)", (BATCH,)).fetchone()
        if row is None or not row[0]:
            return


def _one(connection: psycopg.Connection, id: int, do: Callable[[int], Sent], outcome: Outcome) -> None:
    import psycopg
    from jetpack_runtime import JetpackError

    try:
        with connection.transaction():
            applied = do(id).applied
    except (JetpackError, psycopg.Error) as error:
        if connection.closed:
            raise
        outcome.failed.append({"id": id, "error": str(error).splitlines()[0]})
        return
    outcome.applied += applied
    outcome.unchanged += not applied


def _dry(batches: Iterator[list[int]], as_json: bool) -> int:
    ids = [id for batch in batches for id in batch]
    if as_json:
        click.echo(json.dumps({"matched": len(ids), "ids": ids}))
        return 0
    for id in ids:
        click.echo(id)
    say(f"{len(ids)} task{' matches' if len(ids) == 1 else 's match'}; nothing was changed")
    return 0


def _told(outcome: Outcome, as_json: bool, what: str) -> int:
    if as_json:
        names = ("matched", "applied", "unchanged", "failed")
        click.echo(json.dumps({name: getattr(outcome, name) for name in names}))
        return 1 if outcome.failed else 0
    if not outcome.matched:
        say(f"no {what} matches; nothing was changed")
        return 0
    for one in outcome.failed[:SHOWN]:
        say(f"task {one['id']}: {one['error']}")
    parts = [
        f"{outcome.matched} {what}{'s' if outcome.matched != 1 else ''}",
        f"{outcome.applied} changed",
        f"{outcome.unchanged} did not take it",
    ]
    text = ", ".join([*parts, f"{len(outcome.failed)} failed"])
    if outcome.failed:
        raise Failure(text, "what failed is as it was: mend the cause, and give the same command again")
    say(text)
    return 0


# ---------------------------------------------------------------- which


def _batches(connection: psycopg.Connection, machine: Machine, chosen: Filter, stuck: bool) -> Iterator[list[int]]:
    """The ids that match, by and by: each batch as the tasks are when it is their turn."""
    from psycopg import sql

    conditions, given = _conditions(machine, chosen, stuck)
    text = sql.SQL("select t.id from {} t where t.id > %s and {} order by t.id limit %s")
    query = text.format(sql.Identifier(*machine.table), sql.SQL(" and ").join(conditions))
    last, left = 0, chosen.limit
    while left is None or left > 0:
        rows = connection.execute(query, (last, *given, min(BATCH, left or BATCH))).fetchall()
        if not rows:
            return
        last = rows[-1][0]
        left = None if left is None else left - len(rows)
        yield [id for (id,) in rows]


def _conditions(machine: Machine, chosen: Filter, stuck: bool) -> tuple[list[sql.Composable], list[Any]]:
    """The filter as SQL: names out of the manifest, values as parameters."""
    from psycopg import sql

    found: list[sql.Composable] = [sql.SQL("t._stuck is not null") if stuck else sql.SQL("true")]
    given: list[Any] = []
    fields = [Field("id", "bigint", required=False), Field("state", "text", required=False), *machine.columns]
    comparable = [Field(one.name, one.type, required=False) for one in fields if _comparable(one.type)]
    _check_names(machine, chosen.where, fields, comparable)
    for name, value in values(f"`{machine.name}`", chosen.where, comparable, machine).items():
        if name == "state":
            found.append(sql.SQL("t.state = any(%s)"))
            given.append(_states(machine, value))
        else:
            found.append(sql.SQL("t.{} = %s").format(sql.Identifier(name)))
            given.append(value)
    if chosen.older_than is not None:
        found.append(sql.SQL("t.entered_at < jet.now() - %s"))
        given.append(_age(chosen.older_than))
    return found, given


def _check_names(machine: Machine, words: Sequence[str], fields: Sequence[Field], comparable: Sequence[Field]) -> None:
    """Raises Usage for what is no comparison of a field that a filter can read."""
    names = [one.name for one in comparable]
    help = "it chooses by " + ", ".join(f"`{name}`" for name in names)
    for word in words:
        name, equals, _ = word.partition("=")
        if not equals:
            is_state = any(state == word or state.startswith(f"{word}.") for state in machine.states)
            raise Usage(f"`{word}` is no `field=value`", f"did you mean `state={word}`?" if is_state else help)
        if name not in names:
            near = did_you_mean(name, names)
            other = next((one.type for one in fields if one.name == name), None)
            message = f"`{machine.name}` has no field `{name}`" if other is None else f"`{name}` is {other}"
            raise Usage(
                message if other is None else f"{message}, which a filter does not compare",
                f"did you mean `{near}`?" if near and other is None else help,
            )


def _comparable(type: str) -> bool:
    return type != "json" and not type.endswith("[]")


def _states(machine: Machine, name: str) -> list[str]:
    """The state of this name, or those of a step. Raises Usage."""
    found: Sequence[str] = [state for state in machine.states if state == name or state.startswith(f"{name}.")]
    if not found:
        near = did_you_mean(name, machine.states)
        help = (
            f"did you mean `{near}`?" if near else "its states: " + ", ".join(f"`{state}`" for state in machine.states)
        )
        raise Usage(f"`{machine.name}` has no state `{name}`", help)
    return list(found)


def _age(text: str) -> timedelta:
    try:
        return interval(text)
    except ValueError:
        raise Usage(f"`{text}` is no duration", "such as `30s` or `2d`") from None
