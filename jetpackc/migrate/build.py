"""From a compiled program to the files of its next migration. Pure: the shell reads and writes."""

from __future__ import annotations

from collections.abc import Sequence

from jetpackc.diagnostics.model import Diagnostic
from jetpackc.emit import emit
from jetpackc.ir import model as ir
from jetpackc.memory import without_collection
from jetpackc.migrate import lock as locks
from jetpackc.migrate.changes import refused
from jetpackc.migrate.plan import plan, text
from jetpackc.records import dataclass, replace


@dataclass(frozen=True, slots=True)
class Build:
    """What a build comes to: migrations by file name, in order, and the lock's text; or why there is none."""

    migrations: dict[str, str]
    lock: str
    diagnostics: tuple[Diagnostic, ...] = ()


@without_collection()
def build(
    program: ir.Program,
    old: locks.Lock | None,
    *,
    first_number: int,
    version: str,
    sources: Sequence[str],
    name: str | None = None,
) -> Build:
    """The next migrations. `sources` are the names of the files compiled; `name` replaces the last one's own."""
    program = replace(program, tests=())
    diagnostics = refused(old.program, program) if old else ()
    if diagnostics:
        return Build({}, "", diagnostics)
    objects = emit(program)
    migrations: dict[str, str] = {}
    planned = plan(old, program, objects)
    for index, migration in enumerate(planned):
        if name is not None and index == len(planned) - 1:
            migration = type(migration)(name, migration.summary, migration.statements)  # noqa: PLW2901
        number = first_number + index
        migrations[f"{number:04d}_{migration.name}.sql"] = text(migration, number, version, sources)
    return Build(migrations, locks.dumps(locks.locked(program, objects)))
