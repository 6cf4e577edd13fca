"""The migration from what is locked to what the source says: a comparison of objects. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from jetpackc.emit import SqlObject
from jetpackc.ir import model as ir
from jetpackc.migrate.lock import Entry, Lock
from jetpackc.records import dataclass


@dataclass(frozen=True, slots=True)
class Migration:
    """One file to be: what it is called behind its number, what it does in words, its statements in order."""

    name: str
    summary: tuple[str, ...]
    statements: tuple[str, ...]


def plan(old: Lock | None, program: ir.Program, objects: Sequence[SqlObject]) -> tuple[Migration, ...]:
    """What is to be done; empty when nothing changed."""
    before = old.objects if old else {}
    support = [one for one in objects if one.kind == "support"]
    others = [one for one in objects if one.kind != "support"]
    found = []
    if statements := _changes(before, support):
        found.append(Migration("jet", ("installs or upgrades the support schema jet",), tuple(statements)))
    if statements := [*_drops(before, objects), *_changes(before, others)]:
        summary = _summary(old, program, statements)
        found.append(Migration(_name(old, program), summary, tuple(statements)))
    return tuple(found)


def _drops(before: Mapping[str, Entry], objects: Iterable[SqlObject]) -> list[str]:
    """What is not there any more, the last made first."""
    keys = {one.key for one in objects}
    return [entry.drop for key, entry in reversed(list(before.items())) if key not in keys and entry.drop]


def _changes(before: Mapping[str, Entry], objects: Iterable[SqlObject]) -> list[str]:
    """What is new or other than before, in the order of creation."""
    statements: list[str] = []
    for one in objects:
        entry = before.get(one.key)
        if entry is None:
            if not one.within or one.within in before:
                statements.append(one.create)
        elif entry.fingerprint != one.fingerprint or entry.signature != one.signature:
            if not (one.replaceable and entry.signature == one.signature):
                statements.append(entry.drop)
            statements.append(one.create)
    return statements


def _summary(old: Lock | None, program: ir.Program, statements: Sequence[str]) -> tuple[str, ...]:
    before = _machines(old.program) if old else {}
    lines = [f"adds machine {name}" for name in _machines(program) if name not in before]
    lines += [
        f"changes machine {name}" for name, machine in _machines(program).items() if _changed(before, name, machine)
    ]
    lines += _schedules(old.program if old else ir.Program(()), program)
    return tuple(lines) or (f"brings {len(statements)} objects to what this version of the compiler writes",)


def _schedules(old: ir.Program, new: ir.Program) -> Iterator[str]:
    before, after = (
        {f"{module.name}.{one.name}": one for module in each.modules for one in module.schedules} for each in (old, new)
    )
    for name in dict.fromkeys((*before, *after)):
        if before.get(name) != after.get(name):
            yield f"{'adds' if name not in before else 'changes' if name in after else 'removes'} schedule {name}"


def _changed(before: dict[str, ir.Machine], name: str, machine: ir.Machine) -> bool:
    return name in before and before[name] != machine


def _machines(program: ir.Program) -> dict[str, ir.Machine]:
    return {f"{module.name}.{machine.name}": machine for module in program.modules for machine in module.machines}


def _name(old: Lock | None, program: ir.Program) -> str:
    """`shop` for the first one, then `add_mail`, `change_checkout`, `change_shop`."""
    modules = "_".join(module.name for module in program.modules)
    if old is None or not old.program.modules:
        return modules
    before, after = _machines(old.program), _machines(program)
    added = [name.partition(".")[2] for name in after if name not in before]
    changed = [name.partition(".")[2] for name, machine in after.items() if _changed(before, name, machine)]
    if added and not changed:
        return "add_" + ("_".join(added) if len(added) < 3 else modules)
    return f"change_{changed[0]}" if len(changed) == 1 and not added else f"change_{modules}"


def text(migration: Migration, number: int, version: str, sources: Sequence[str]) -> str:
    """The file's text."""
    lines = [
        f"-- {number:04d}_{migration.name}.sql, made by jetpackc {version} from {', '.join(sources)}.",
        *(f"--   {line}" for line in migration.summary),
        "-- Check it in; do not edit it. Apply it with jetpackc migrate, or with any other runner in one transaction,",
        "-- after those of lower numbers.",
    ]
    return "\n".join(lines) + "\n\n" + "\n\n".join(migration.statements) + "\n"
