"""`jet.lock`: the program that the last migration was made from, and what stands in the database since."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from jetpackc.emit import SqlObject
from jetpackc.ir import canonical, model as ir
from jetpackc.records import dataclass


class LockError(ValueError):
    """The text is no lock file that this compiler can read."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One object as it stands: enough to see that it changed, and to drop it."""

    fingerprint: str
    signature: str
    drop: str


@dataclass(frozen=True, slots=True)
class Lock:
    """The program, and its objects by key in the order in which they were created."""

    program: ir.Program
    objects: Mapping[str, Entry]


def locked(program: ir.Program, objects: Iterable[SqlObject]) -> Lock:
    """The lock of a program that is installed whole."""
    return Lock(program, {one.key: Entry(one.fingerprint, one.signature, one.drop) for one in objects})


def dumps(lock: Lock) -> str:
    """The file's text."""
    objects = ",\n".join(f"    {canonical.quoted(key)}: {_written(entry)}" for key, entry in lock.objects.items())
    program = canonical.pretty(canonical.member(lock.program), "\n  ")
    head = f'{{\n  "lock": 1,\n  "ir": {canonical.VERSION},\n'
    return f'{head}  "objects": {{\n{objects}\n  }},\n  "program": {program}\n}}\n'


def _written(entry: Entry) -> str:
    members = (("fingerprint", entry.fingerprint), ("signature", entry.signature), ("drop", entry.drop))
    shown = [f'"{name}": {canonical.quoted(value)}' for name, value in members if value]
    return f"{{{', '.join(shown)}}}"


def loads(text: str) -> Lock:
    """The lock that `dumps` wrote. Raises LockError."""
    try:
        data = json.loads(text)
        if data.pop("lock") != 1:
            raise LockError("it was written by a newer jetpackc")
        objects = {
            key: Entry(entry["fingerprint"], entry.get("signature", ""), entry.get("drop", ""))
            for key, entry in data.pop("objects").items()
        }
        return Lock(canonical.loads(json.dumps(data)), objects)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LockError(f"it is no lock file: {error}") from None
