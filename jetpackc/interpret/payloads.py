"""Payloads and params as they come from outside, in JSON: which names and values fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from jetpackc.interpret.errors import BAD_CALL, UndoneError
from jetpackc.interpret.values import Enums, from_json
from jetpackc.ir import chart, model as ir

Given = dict[str, tuple[Any, ir.Type]]
CONTROLS = {
    **{"_delay": ir.Type("interval"), "_run_at": ir.Type("timestamptz")},
    **{"_priority": ir.Type("int"), "_key": ir.Type("text")},
}
"""What a creation may say besides params, and the types of that."""


@dataclass(frozen=True, slots=True)
class Control:
    """How a task is created. `delay`: until a worker may take it."""

    delay: timedelta | None
    priority: int | None
    key: str | None


def controls(given: Mapping[str, Any], now: datetime) -> Control:
    """What a creation says besides params; a moment goes before a delay. Raises UndoneError."""
    found = {name: from_json(given.get(name), type, {}) for name, type in CONTROLS.items()}
    moment = found["_run_at"]
    return Control(found["_delay"] if moment is None else moment - now, found["_priority"], found["_key"])


def params(machine: ir.Machine, given: Mapping[str, Any], enums: Enums) -> Given:
    """What a new task is created with. Raises UndoneError where it does not fit."""
    why = _misfit(machine.name, given, machine.params)
    if why:
        raise UndoneError(BAD_CALL, why)
    asked = [each for each in machine.params if each.name in given]
    typed = _typed(asked, given, enums, BAD_CALL)
    known = {each.name: each.type for each in machine.params}
    return {name: (typed[name], known[name]) for name in given}


def sent(machine: ir.Machine, event: str, payload: Any, enums: Enums) -> dict[str, Any]:
    """The fields of an event from outside. Raises UndoneError where there is no such event, or it does not fit."""
    signature = next((each for each in machine.signatures if each.event == event and not each.state), None)
    if signature is None or event in chart.LIFECYCLE:
        raise UndoneError(BAD_CALL, f"{machine.name} has no event {event}")
    why = _misfit(event, {} if payload is None else payload, signature.fields)
    if why:
        raise UndoneError(BAD_CALL, why)
    return _typed(signature.fields, payload or {}, enums, BAD_CALL)


def misfit(machine: ir.Machine, leaf: str, event: str, payload: Any) -> str | None:
    """What is wrong with the payload that a handler returned; None where nothing is, or where nothing takes it. What it
    returned besides is left alone."""
    if not chart.clauses(machine, leaf, event):
        return None
    return _lacking(event, payload or {}, _fields(machine, leaf, event)) if event != "ERROR" else None


def returned(machine: ir.Machine, leaf: str, event: str, payload: Any, enums: Enums) -> dict[str, Any]:
    """The fields of what a handler returned. Raises UndoneError."""
    if not chart.clauses(machine, leaf, event):
        return {}
    return _typed(_fields(machine, leaf, event), payload or {}, enums, None)


def changes(machine: ir.Machine, given: Mapping[str, Any], enums: Enums) -> dict[str, Any]:
    """The vars that a handler set. Raises UndoneError."""
    known = {var.name: var for var in machine.vars}
    return _typed([known[name] for name in given], given, enums, None)


def _fields(machine: ir.Machine, leaf: str, event: str) -> tuple[ir.Field, ...]:
    return chart.ERROR_FIELDS if event == "ERROR" else chart.fields(machine, event, leaf)


def _misfit(what: str, given: Any, fields: Sequence[ir.Field]) -> str | None:
    if not isinstance(given, Mapping):
        return f"{what} takes an object of fields"
    unknown = sorted(set(given) - {each.name for each in fields})
    return f"{what} has no field '{unknown[0]}'" if unknown else _lacking(what, given, fields)


def _lacking(what: str, given: Mapping[str, Any], fields: Sequence[ir.Field]) -> str | None:
    required = (each for each in fields if each.default is None and not each.type.optional)
    lacking = next((each for each in required if given.get(each.name) is None), None)
    return f"{what} needs field '{lacking.name}'" if lacking else None


def _typed(fields: Sequence[ir.Field], given: Mapping[str, Any], enums: Enums, sqlstate: str | None) -> dict[str, Any]:
    """Every field's value; `sqlstate` is what a bad one is called, its own if None."""
    try:
        return {each.name: from_json(given.get(each.name), each.type, enums) for each in fields}
    except UndoneError as error:
        raise UndoneError(sqlstate or error.sqlstate, str(error)) from None
