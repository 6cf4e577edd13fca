"""One run of `jetpackc dev`: install, work, show, follow saves, stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import psycopg

from jetpackc.dev.board import Standing, failed_tasks, lines, standing
from jetpackc.dev.install import install, seed
from jetpackc.dev.process import WorkerProcess
from jetpackc.dev.screen import Screen
from jetpackc.dev.watch import TICK, state, ticks
from jetpackc.diagnostics.model import Diagnostic
from jetpackc.ir import chart, model as ir
from jetpackc.records import dataclass

SEED = "dev.sql"
BEGIN_ANEW = "to begin anew with an empty database, stop and remove `.jetpack`"


@dataclass(frozen=True, slots=True)
class Build:
    """What the sources give now. `text` is what the compiler says of them, `program` None when that is errors."""

    program: ir.Program | None
    text: str
    render: Callable[[Sequence[Diagnostic]], str]
    sources: Sequence[str]


class Session:
    """`compile` reads and compiles the project. `dsn` is its database, which this session may change as it likes."""

    def __init__(self, folder: Path, dsn: str, compile: Callable[[], Build], screen: Screen) -> None:
        self._folder = folder
        self._dsn = dsn
        self._compile = compile
        self._screen = screen
        self._program = ir.Program(())
        self._worker: WorkerProcess | None = None

    def follow(self) -> int:
        """Work until Ctrl-C."""
        with psycopg.connect(self._dsn, autocommit=True) as connection, suppress(KeyboardInterrupt):
            try:
                seen = state(self._folder)  # before it is read: a save meanwhile must not be missed
                self._update(connection)
                for _ in ticks(self._folder):
                    if (now := state(self._folder)) != seen:
                        seen = now
                        self._update(connection)
                    self._show(connection)
            finally:
                self._stop()
        self._screen.line("stopped; the data is kept")
        return 0

    def until_idle(self) -> int:
        """Work until nothing is left to do. 1 if a task ended in a failure state or is stuck, or nothing could run."""
        began = time.monotonic()
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            try:
                if not self._update(connection, until_idle=True):
                    return 1
                for _ in self._working():
                    self._show(connection)
            finally:
                code = self._stop()
            return self._conclude(connection, time.monotonic() - began) or code

    def _working(self) -> Iterator[None]:
        while self._worker and self._worker.ended() is None:
            yield
            time.sleep(TICK / 1000)

    def _update(self, connection: psycopg.Connection, *, until_idle: bool = False) -> bool:
        """Install what the sources say and start a worker for it. False: they are wrong, and all goes on as it was."""
        built = self._compile()
        if built.text:
            self._screen.line(built.text.rstrip())
        if built.program is None:
            return False
        if refused := install(connection, built.program, built.sources):
            self._screen.line(f"{built.render(refused).rstrip()}\n{BEGIN_ANEW}")
            return False
        again = self._worker is not None
        self._program = built.program
        self._seed(connection)
        self._stop()
        self._worker = WorkerProcess(
            self._folder, self._dsn, _worked(built.program), self._screen.line, until_idle=until_idle
        )
        if again:
            self._screen.line("saved: running the new version")
        return True

    def _seed(self, connection: psycopg.Connection) -> None:
        if seed(connection, self._folder / SEED):
            self._screen.line(f"ran {SEED}")

    def _stop(self) -> int:
        if self._worker is None:
            return 0
        code = self._worker.ended()
        code = self._worker.stop() if code is None else code
        self._worker = None
        return code

    def _standing(self, connection: psycopg.Connection) -> list[Standing]:
        return [
            standing(
                connection,
                module.name,
                machine.name,
                [leaf.name for leaf in chart.leaves(machine)],
                [leaf.name for leaf in chart.leaves(machine) if leaf.kind == "failure"],
            )
            for module in self._program.modules
            for machine in module.machines
        ]

    def _show(self, connection: psycopg.Connection) -> None:
        self._screen.board(lines(self._standing(connection)))

    def _conclude(self, connection: psycopg.Connection, seconds: float) -> int:
        """Say what rests and where."""
        found = self._standing(connection)
        self._screen.board(())
        self._screen.line("\n".join([f"at rest after {seconds:.1f} s:", *lines(found)]))
        for one in found:
            for id, where in failed_tasks(connection, one) if one.failed else ():
                self._screen.line(f"failed: {one.machine} {id} is in {where}; see jetpackc history {id}")
            for task in one.stuck:
                self._screen.line(f"stuck: {one.machine} {task['id']} in {task['state']}: {task['error']}")
        return int(any(one.failed or one.stuck for one in found))


def _worked(program: ir.Program) -> list[str]:
    """The machines that need a worker."""
    return [
        f"{module.name}.{machine.name}"
        for module in program.modules
        for machine in module.machines
        if chart.claimable(machine)
    ]
