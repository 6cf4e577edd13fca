"""Names in Postgres: what the generated objects are called, that none is too long, and that no two are the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from jetpackc.check.report import Report
from jetpackc.diagnostics.model import Label
from jetpackc.diagnostics.rules import names as rules
from jetpackc.ir.chart import LIFECYCLE
from jetpackc.records import dataclass
from jetpackc.source import Span
from jetpackc.syntax import ast

LONGEST = 63
"""Bytes of a name that Postgres keeps; it cuts off the rest without a word."""

INTERNAL = 14
"""Bytes that internal objects add to a machine's name: `_`, `_` and a suffix of up to twelve."""

MOST_PARAMS = 91
"""Params of a machine: a Postgres function takes 100 arguments, and the one that creates a task has 9 of its own."""

MOST_FIELDS = 98
"""Fields of an event that may be sent: its function has 2 arguments of its own."""

FUNCTIONS = ("create", "create_many", "send", "claim", "resolve", "retry", "at", "lost")

INDEXES = ("pkey", "key", "stuck", "claim")


class Parts(Protocol):
    """The declarations of a module."""

    span: Span
    enums: list[ast.Enum]
    events: list[ast.Event]
    machines: list[ast.Machine]


@dataclass(frozen=True, slots=True)
class Object:
    """A generated object: its name, what it comes from, and where that is declared."""

    name: str
    origin: str
    span: Span


def check_generated(module: str, parts: Parts, report: Report) -> None:
    """Report names that Postgres would cut, and objects that would meet under one name."""
    _check(ast.Name(module, parts.span), "module", LONGEST - len("_tick"), report)
    for enum in parts.enums:
        _check(enum.name, "enum", LONGEST - len("_check"), report)
    for event in parts.events:
        _check_fields(event.name, event.fields, report)
    for machine in parts.machines:
        _check_machine(machine, report)
    _check_collisions(_relations(parts), report)
    _check_collisions(_functions(parts), report)


def _check_machine(machine: ast.Machine, report: Report) -> None:
    _check(machine.name, "machine", LONGEST - INTERNAL, report)
    if len(machine.params) > MOST_PARAMS:
        _too_many(machine.name, "machine", f"{len(machine.params)} params", MOST_PARAMS, report)
    for param in machine.params:
        _check(param.name, "param", LONGEST, report)
    for member in machine.members:
        if isinstance(member, ast.Var):
            _check(member.name, "var", LONGEST, report)
    for on in _ons(machine.members):
        if on.fields is not None and on.events[0].text not in LIFECYCLE:
            _check_fields(on.events[0], on.fields, report)
    room = max(LONGEST - len(machine.name.text) - len("_send_"), INTERNAL)
    for event in _sendable(machine):
        _check(event, f"event of machine `{machine.name.text}`", room, report)


def _check(name: ast.Name, what: str, longest: int, report: Report) -> None:
    if len(name.text) <= longest:
        return
    message = f"`{name.text}` is too long for {_article(what)} {what}"
    label = f"{len(name.text)} bytes, and {longest} fit"
    help = "Postgres keeps 63 bytes of a name, and the generated objects add to it"
    report.add(rules.NAME_TOO_LONG, message, name.span, label, help=help)


def _check_fields(event: ast.Name, fields: tuple[ast.Field, ...], report: Report) -> None:
    if len(fields) > MOST_FIELDS:
        _too_many(event, "event", f"{len(fields)} fields", MOST_FIELDS, report)


def _too_many(name: ast.Name, what: str, has: str, most: int, report: Report) -> None:
    message = f"{what} `{name.text}` has {has}, and Postgres takes {most}"
    help = "put what belongs together into one of type `json`"
    report.add(rules.TOO_MANY_FIELDS, message, name.span, has, help=help)


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


def _sendable(machine: ast.Machine) -> list[ast.Name]:
    """The events that get a function of their own, each where it stands first."""
    found: dict[str, ast.Name] = {}
    for event in _events(machine.members):
        if event.text not in LIFECYCLE:
            found.setdefault(event.text, event)
    return list(found.values())


def _events(members: Iterable[ast.MachineMember | ast.StateMember]) -> Iterator[ast.Name]:
    for member in _flat(members):
        if isinstance(member, ast.On | ast.Ignore):
            yield from member.events


def _ons(members: Iterable[ast.MachineMember | ast.StateMember]) -> Iterator[ast.On]:
    return (member for member in _flat(members) if isinstance(member, ast.On))


def _flat(members: Iterable[ast.MachineMember | ast.StateMember]) -> Iterator[ast.MachineMember | ast.StateMember]:
    """All members, those inside states too."""
    for member in members:
        yield member
        if isinstance(member, ast.State):
            yield from _flat(member.members)


def _has_timers(machine: ast.Machine) -> bool:
    return any(isinstance(member, ast.Timer) for member in _flat(machine.members))


def _relations(parts: Parts) -> Iterator[Object]:
    """Tables, views, indexes and domains: one namespace."""
    for enum in parts.enums:
        yield Object(enum.name.text, f"enum `{enum.name.text}`", enum.name.span)
    for machine in parts.machines:
        name, span = machine.name.text, machine.name.span
        yield Object(name, f"machine `{name}`", span)
        yield Object(f"{name}_history", f"the history of machine `{name}`", span)
        uniques = sum(isinstance(member, ast.Unique) for member in machine.members)
        timer = ["timer"] * _has_timers(machine)
        ended = ["ended"] * any(isinstance(member, ast.Keep) for member in machine.members)
        for suffix in (*INDEXES, *timer, *ended, *(f"unique_{number + 1}" for number in range(uniques))):
            yield Object(f"{name}_{suffix}", f"an index of machine `{name}`", span)


def _functions(parts: Parts) -> Iterator[Object]:
    for machine in parts.machines:
        name, span = machine.name.text, machine.name.span
        fire = ["fire"] * _has_timers(machine)
        for suffix in (*FUNCTIONS, *fire):
            yield Object(f"{name}_{suffix}", f"a function of machine `{name}`", span)
        for event in _sendable(machine):
            sent = f"{name}_send_{event.text.lower()}"
            yield Object(sent, f"the sending of `{event.text}` to machine `{name}`", event.span)


def _check_collisions(objects: Iterable[Object], report: Report) -> None:
    """Report the second of two objects of one name; the same declaration written twice is reported elsewhere."""
    seen: dict[str, Object] = {}
    for each in objects:
        first = seen.setdefault(each.name, each)
        if first.origin != each.origin:
            message = f"{each.origin} and {first.origin} would both be `{each.name}` in Postgres"
            other = Label(first.span, first.origin)
            help = "rename one of them"
            report.add(rules.COLLIDING_NAMES, message, each.span, each.origin, secondary=[other], help=help)
