"""`python bench/retention.py`: what `keep` costs the work beside it, and what the removal takes. Prints Markdown."""

from __future__ import annotations

from statistics import median

import psycopg
from psycopg.types.json import Jsonb
from stand import Connection, Rig

from jetpackc.check import compile_sources
from jetpackc.emit import emit
from jetpackc.source import Source

TASKS, BATCH, ROUNDS = 20_000, 500, 5
MACHINE = """module kept
machine {name}(n: int, note: text) is task {{ {keep} state running {{ run "m:work" }} }}
"""


def install(connection: Connection, name: str, keep: str) -> None:
    """A machine of its own module beside what the rig has made."""
    text = MACHINE.format(name=name, keep=keep).replace("module kept", f"module {name}")
    program = compile_sources([Source("kept.jet", text)]).program
    assert program is not None
    connection.execute("\n\n".join(found.create for found in emit(program) if not found.within).encode())


def work(connection: Connection, name: str) -> None:
    """Claim and finish everything."""
    worker = _value(connection, "select jet.worker_start('bench', '1 h')")
    mark = None
    while True:
        *tasks, last = connection.execute(
            f"select * from {name}.{name}_claim(%s, %s, %s)".encode(), (worker, BATCH, mark)
        )
        if not tasks:
            return
        mark = Jsonb(last[-1])
        outcomes = [{"id": task[0], "token": task[1], "event": "SUCCESS"} for task in tasks]
        connection.execute(f"select count(*) from {name}.{name}_resolve(%s, %s)".encode(), (worker, Jsonb(outcomes)))


def _value(connection: Connection, query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


def main() -> None:
    """Both machines in turn, then the removal of what the one has left."""
    rig = Rig(18)
    with rig.database("retention", lambda _: None) as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        spent: dict[str, list[float]] = {"forever": [], "kept": []}
        install(connection, "forever", "")
        install(connection, "kept", "keep final 30d keep history 90d")
        for name in [*spent] * ROUNDS:
            tasks = f"jsonb_agg(jsonb_build_object('n', n, 'note', 'x')) from generate_series(1, {TASKS}) n"
            connection.execute(f"select count(*) from {name}.{name}_create_many((select {tasks}))".encode())
            with rig.measure() as found:
                work(connection, name)
            spent[name].append(found.server / TASKS * 1e6)
        connection.execute("update jet.clock set shift = '31 d'")
        with rig.measure() as removal:
            removed = 0
            while done := _value(connection, "select jet.tick(1000)"):
                removed += done
    rig.close()
    for name, rounds in spent.items():
        print(f"| claim and finish, {name} | {median(rounds):.1f} us a task on the server |")
    print(f"| removal of {removed:,} | {removal.server / removed * 1e6:.1f} us a task on the server |")


main()
