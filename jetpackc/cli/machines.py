"""What the database says of its machines, and values for them from words on the command line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any
from uuid import UUID

from jetpackc.cli.errors import DATABASE, Failure, Usage
from jetpackc.diagnostics.suggest import did_you_mean
from jetpackc.records import dataclass

if TYPE_CHECKING:
    import psycopg

_DURATION = re.compile(r"(\d+(ms|s|m|h|d))+")


@dataclass(frozen=True, slots=True)
class Field:
    """A param of a machine or a field of an event."""

    name: str
    type: str
    required: bool


@dataclass(frozen=True, slots=True)
class Machine:
    """One row of `jet.machine`, as far as the command line needs it."""

    name: str
    params: tuple[Field, ...]
    events: Mapping[str, tuple[Field, ...]]
    enums: Mapping[str, Sequence[str]]
    states: tuple[str, ...]
    failure: frozenset[str]
    queues: Mapping[str, str] = field(default_factory=dict)
    """The states that workers claim from, and where each claim leads to."""
    columns: tuple[Field, ...] = ()
    """Params and vars."""

    @property
    def table(self) -> tuple[str, str]:
        """Schema and table."""
        module, _, name = self.name.partition(".")
        return module, name


def machines(connection: psycopg.Connection) -> dict[str, Machine]:
    """All machines of the database. Raises Failure where there is no schema `jet`, or a newer one."""
    import psycopg
    from jetpack_runtime.database import check_version

    try:
        row = connection.execute("select version from jet.meta").fetchone()
        check_version(row[0] if row else 0)
        rows = connection.execute("select module, name, manifest from jet.machine order by module, name").fetchall()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        raise Failure("this database has no machines", "apply migrations first: `jetpackc migrate`", DATABASE) from None
    return {f"{module}.{name}": from_manifest(f"{module}.{name}", manifest) for module, name, manifest in rows}


def from_manifest(name: str, manifest: Mapping[str, Any]) -> Machine:
    """What a manifest says, as far as the command line needs it."""
    return Machine(
        name,
        fields_of(manifest["params"]),
        {event: fields_of(fields) for event, fields in manifest["events"].items()},
        manifest["enums"],
        tuple(manifest["states"]),
        frozenset(manifest["failure"]),
        manifest["claimable"],
        fields_of([*manifest["params"], *manifest["vars"]]),
    )


def fields_of(rows: Sequence[Mapping[str, Any]]) -> tuple[Field, ...]:
    """Fields from a manifest."""
    return tuple(Field(row["name"], row["type"], not (row.get("optional") or row.get("default"))) for row in rows)


def named(known: Mapping[str, Machine], name: str) -> Machine:
    """The machine called so: `shop.checkout`, or `checkout` where one module has it. Raises Usage."""
    found = [machine for full, machine in known.items() if name in (full, full.partition(".")[2])]
    if len(found) == 1:
        return found[0]
    if found:
        raise Usage(f"several modules have a machine `{name}`", f"say which: {_listed(one.name for one in found)}")
    near = did_you_mean(name, known) or did_you_mean(name, [full.partition(".")[2] for full in known])
    help = f"did you mean `{near}`?" if near else f"there is {_listed(known)}" if known else "the database has none"
    raise Usage(f"there is no machine `{name}`", help)


def event_fields(machine: Machine, event: str) -> tuple[Field, ...]:
    """The fields of an event that may be sent to this machine. Raises Usage."""
    if event in machine.events:
        return machine.events[event]
    near = did_you_mean(event, machine.events)
    help = f"did you mean `{near}`?" if near else f"it takes {_listed(machine.events) or 'none from outside'}"
    raise Usage(f"`{machine.name}` takes no event `{event}`", help)


def values(what: str, words: Sequence[str], fields: Sequence[Field], machine: Machine) -> dict[str, Any]:
    """The values of words such as `amount=12`, as the types say. `what` takes them, in messages. Raises Usage."""
    help = "it takes " + (" ".join(_usage(field, machine) for field in fields) or "no fields")
    by_name = {field.name: field for field in fields}
    found: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise Usage(f"`{word}` is no `field=value`", help)
        if name not in by_name:
            near = did_you_mean(name, by_name)
            raise Usage(f"{what} has no field `{name}`", f"did you mean `{near}`?" if near else help)
        if name in found:
            raise Usage(f"field `{name}` is given twice", help)
        found[name] = _value(by_name[name], text, machine)
    if lacking := [field for field in fields if field.required and field.name not in found]:
        raise Usage(f"{what} needs {_listed(field.name for field in lacking)}", help)
    return found


def _usage(field: Field, machine: Machine) -> str:
    kind = "|".join(machine.enums[field.type[5:]]) if field.type[5:] in machine.enums else _plain(field.type)
    return f"{field.name}=<{kind}>" if field.required else f"[{field.name}=<{kind}>]"


def _plain(type: str) -> str:
    return type.removeprefix("enum:")


def _value(field: Field, text: str, machine: Machine) -> Any:
    if field.type.endswith("[]"):
        return _array(field, text)
    if field.type.startswith("enum:"):
        return _enum_value(field, text, machine.enums[field.type[5:]])
    try:
        return _READ[field.type](text)
    except (ValueError, InvalidOperation):
        raise Usage(f"field `{field.name}`: `{text}` is no {field.type}", _SHAPES.get(field.type, "")) from None


def _array(field: Field, text: str) -> list[Any]:
    try:
        found = json.loads(text, parse_float=Decimal)
    except ValueError:
        found = None
    if not isinstance(found, list):
        raise Usage(f"field `{field.name}`: `{text}` is no {_plain(field.type)}", _ARRAYS)
    return found


def _enum_value(field: Field, text: str, choices: Sequence[str]) -> str:
    if text not in choices:
        near = did_you_mean(text, choices)
        help = f"did you mean `{near}`?" if near else f"it is one of {_listed(choices)}"
        raise Usage(f"field `{field.name}`: `{text}` is no {field.type[5:]}", help)
    return text


def _bool(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(text)
    return found


def interval(text: str) -> timedelta:
    """The length of `1h30m`. Raises ValueError."""
    from jetpackc.syntax.literals import milliseconds

    length = milliseconds(text) if _DURATION.fullmatch(text) else None
    if length is None:
        raise ValueError(text)
    return timedelta(milliseconds=length)


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("\\x"))


def _decimal(text: str) -> Decimal:
    found = Decimal(text)
    if not found.is_finite():
        raise ValueError(text)
    return found


_READ: dict[str, Callable[[str], Any]] = {
    "bool": _bool,
    "int": int,
    "bigint": int,
    "float": float,
    "numeric": _decimal,
    "text": str,
    "uuid": UUID,
    "timestamptz": _moment,
    "date": date.fromisoformat,
    "interval": interval,
    "json": json.loads,
    "bytes": _bytes,
}
_ARRAYS = 'as in JSON, such as `["a", "b"]` or `[1, 2]`; mind the quotes of your shell'
_SHAPES = {
    "bool": "it is `true` or `false`",
    "timestamptz": "such as `2026-03-01T12:00:00+00:00`, with its time zone",
    "date": "such as `2026-03-01`",
    "interval": "such as `30s` or `1h30m`",
    "json": 'such as `{"key": 1}`; mind the quotes of your shell',
    "bytes": "hexadecimal, such as `00ff`",
}


def _listed(names: Any) -> str:
    return ", ".join(f"`{name}`" for name in names)
