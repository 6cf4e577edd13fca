"""The charts of a project, drawn again when a file is saved."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from jetpackc.graph import Chart, LayoutError, charts_of, drawing
from jetpackc.ir import chart, model as ir
from jetpackc.records import dataclass

Json = dict[str, object]
Stamp = tuple[tuple[int, int] | None, ...]


@dataclass(frozen=True, slots=True)
class Sources:
    """What the compiler makes of the files now. `text` is what it says, `program` None where that is errors."""

    program: ir.Program | None
    text: str
    paths: Sequence[Path]


@dataclass(frozen=True, slots=True)
class State:
    """`name` of a state, its `kind`, the composite around it, and whether a task can rest in it."""

    name: str
    kind: str
    parent: str | None
    leaf: bool


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine as the page shows it."""

    name: str
    doc: str
    svg: str
    states: tuple[State, ...]


class Charts:
    """The machines of a project. `compile` reads and compiles it; safe to use from several threads."""

    def __init__(self, compile: Callable[[], Sources]) -> None:
        self._compile = compile
        self._lock = threading.Lock()
        self._paths: Sequence[Path] = ()
        self._stamp: Stamp = ()
        self._version = 0
        self._machines: tuple[Machine, ...] = ()
        self._mistakes = ""

    def version(self) -> int:
        """Goes up whenever what `data` gives has changed. Looks whether a file was saved."""
        with self._lock:
            if self._version == 0 or self._stamp != _stamp(self._paths):
                self._read()
            return self._version

    def data(self) -> Json:
        """All machines, for the page. While the files have mistakes, those of before."""
        version = self.version()
        machines = [asdict(machine) for machine in self._machines]
        return {"version": version, "mistakes": self._mistakes, "machines": machines}

    def find(self, name: str) -> tuple[str, str] | None:
        """Schema and table of a machine; None where there is none of that name."""
        self.version()
        module, _, machine = name.partition(".")
        return (module, machine) if any(one.name == name for one in self._machines) else None

    def _read(self) -> None:
        found = self._compile()
        self._paths = found.paths
        self._stamp = _stamp(self._paths)
        self._mistakes = found.text if found.program is None else ""
        if found.program is not None:
            self._machines = _machines(found.program)
        self._version += 1


def _stamp(paths: Sequence[Path]) -> Stamp:
    """What a save changes: time and size of each file."""
    return tuple(_status(path) for path in paths)


def _status(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:  # an editor replaces files
        return None
    return found.st_mtime_ns, found.st_size


def _machines(program: ir.Program) -> tuple[Machine, ...]:
    machines = (machine for module in program.modules for machine in module.machines)
    return tuple(_machine(drawn, machine) for drawn, machine in zip(charts_of(program), machines, strict=True))


def _machine(drawn: Chart, machine: ir.Machine) -> Machine:
    leaves = {leaf.name for leaf in chart.leaves(machine)}
    states = tuple(State(state.name, state.kind, state.parent, state.name in leaves) for state in machine.states)
    try:
        return Machine(drawn.name, machine.doc, drawing([drawn], alone=False), states)
    except LayoutError as error:  # the others, and the counts of this one, are none the worse for it
        return Machine(drawn.name, f"{machine.doc}\n{error}".strip(), "", states)
