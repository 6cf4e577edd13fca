"""What a machine says of itself: the manifest that its migration leaves in `jet.machine`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any


@dataclass(frozen=True, slots=True)
class Field:
    """A param, a var, or a field of an event's payload. `type` is the language's name, `enum:<name>` for an enum, and
    `[]` behind it for an array of them. `default`: what is left out has a value all the same."""

    name: str
    type: str
    optional: bool
    default: bool = False


@dataclass(frozen=True, slots=True)
class Work:
    """A running state. `name` is what handlers are bound to; `run` the function named in the source; `outcomes` the
    events that its handler may end with and their payloads."""

    name: str
    run: str | None
    timeout: bool
    outcomes: Mapping[str, tuple[Field, ...]]


@dataclass(frozen=True)
class Machine:
    """One row of `jet.machine`. `hears`: messages come to its tasks; `reaches`: the machines that they may leave some
    for."""

    module: str
    name: str
    hash: str
    params: tuple[Field, ...]
    vars: tuple[Field, ...]
    events: Mapping[str, tuple[Field, ...]]
    enums: Mapping[str, tuple[str, ...]]
    final: frozenset[str]
    failure: frozenset[str]
    claimable: bool
    work: Mapping[str, Work]
    timers: bool = False
    hears: bool = False
    reaches: tuple[str, ...] = ()

    @cached_property
    def qualified(self) -> str:
        """`module.machine`, as users write it."""
        return f"{self.module}.{self.name}"

    @cached_property
    def var_fields(self) -> Mapping[str, Field]:
        return {field.name: field for field in self.vars}


def read(module: str, name: str, hash: str, manifest: Mapping[str, Any]) -> Machine:
    """One row of `jet.machine` as data."""
    return Machine(
        module=module,
        name=name,
        hash=hash,
        params=_fields(manifest["params"]),
        vars=_fields(manifest["vars"]),
        events={event: _fields(fields) for event, fields in manifest["events"].items()},
        enums={enum: tuple(values) for enum, values in manifest["enums"].items()},
        final=frozenset(manifest["final"]),
        failure=frozenset(manifest["failure"]),
        claimable=bool(manifest["claimable"]),
        timers=bool(manifest.get("timers")),
        hears=bool(manifest.get("hears")),
        reaches=tuple(manifest.get("reaches", ())),
        work={state: _work(entry) for state, entry in manifest["work"].items()},
    )


def _fields(rows: list[dict[str, Any]]) -> tuple[Field, ...]:
    return tuple(Field(row["name"], row["type"], bool(row.get("optional")), bool(row.get("default"))) for row in rows)


def _work(entry: Mapping[str, Any]) -> Work:
    outcomes = {event: _fields(fields) for event, fields in entry["outcomes"].items()}
    return Work(entry["name"], entry["run"], bool(entry["timeout"]), outcomes)
