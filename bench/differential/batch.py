"""One batch: a random module, random steps for all its machines, and a smaller case of what they disagree on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from constants import has_failing_constant
from contest_of_two import Both, Differ
from random_machines import Module, module
from random_steps import Step, Steps, Stop, Tick
from server_side import Database

from jetpackc.check import compile_sources
from jetpackc.ir import model as ir
from jetpackc.postgres import Server
from jetpackc.source import Source

NAME = "d"
WAITS = tuple(timedelta(seconds=seconds) for seconds in (0.001, 0.001, 0.25, 1, 2, 7, 60, 400, 4000))
Timed = list[tuple[Step, timedelta]]


@dataclass(frozen=True)
class Played:
    """What a batch came to. `disagreement`: the first one, with a case that shows it."""

    programs: int
    transitions: int
    disagreement: str | None = None


def compiled(made: Module, machines: Sequence[str]) -> tuple[ir.Program, list[str]] | None:
    """The program of these machines, less those that do not compile, and their texts."""
    while machines:
        source = Source(f"{NAME}.jet", made.text(machines))
        result = compile_sources([source])
        if result.program is not None:
            (module,) = result.program.modules
            enums = {enum.name: enum.values for enum in module.enums}
            failing = {each.name for each in module.machines if has_failing_constant(each, enums)}
            kept = [text for text in machines if _name(text) not in failing]
            if len(kept) == len(machines):
                return result.program, list(machines)
            machines = kept
            continue
        lines = {found.span.line for found in result.diagnostics if found.is_error}
        kept = [text for text in machines if not _hit(source.text, text, lines)]
        if len(kept) == len(machines):
            raise AssertionError("\n".join(found.message for found in result.diagnostics if found.is_error))
        machines = kept
    return None


def _name(machine: str) -> str:
    return re.split(r"[( ]", machine)[1]


def _hit(text: str, machine: str, lines: Iterable[int]) -> bool:
    first = text[: text.index(machine)].count("\n") + 1
    last = first + machine.count("\n")
    return any(first <= line <= last for line in lines)


def play(server: Server, seed: str, machines: int, rounds: int) -> Played:
    """Play a batch to its end, or to the first disagreement."""
    chance = Random(seed)
    made = module(NAME, machines, chance)
    found = compiled(made, made.machines)
    if found is None:
        return Played(0, 0)
    program, texts = found
    done: Timed = []
    database = Database(server, program)
    try:
        both = Both(database, program)
        chosen = {name: Steps(name, machine, chance) for name, machine in both.machines.items()}
        try:
            for _ in range(rounds):
                steps = _round(both, chosen, chance)
                done += steps
                both.play(steps)
            both.compare_all()
        except Differ as differ:
            shown = _case(server, made, texts, done, differ)
            return Played(len(texts), len(both.world.history), f"seed {seed}\n{shown}")
        return Played(len(texts), len(both.world.history))
    finally:
        database.close()


def _round(both: Both, chosen: dict[str, Steps], chance: Random) -> Timed:
    steps: Timed = []
    for name, each in chosen.items():
        leases = {id: len(found) for id, found in both.leases.items()}
        for _ in range(2):
            step = each.step(both.tasks(name), leases)
            steps.append((step, chance.choice(WAITS)))
            if isinstance(step, Stop):
                break
    if chance.random() < 0.3:
        steps.append((Tick(), chance.choice(WAITS)))
    return steps


# ---------------------------------------------------------------- a smaller case


def _case(server: Server, made: Module, texts: list[str], steps: Timed, differ: Differ) -> str:
    """The disagreement with no more machines and steps than it needs, as far as leaving out one by one tells."""
    machine = differ.machine.partition(".")[2]
    near = _closure(texts, machine) if machine else texts
    names = {f"{NAME}.{_name(text)}" for text in near}
    kept = _only(steps, names)
    found = _replay(server, made, near, kept)
    if found is None:
        near, found = texts, differ
    for size in (64, 16, 4, 1) if len(kept) < 1000 else ():
        at = 0
        while at < len(kept):
            fewer = kept[:at] + kept[at + size :]
            smaller = _replay(server, made, near, fewer)
            if smaller is None:
                at += size
            else:
                kept, found = fewer, smaller
    if len(near) < 4:
        near, found = _fewer_lines(server, made, near, kept, found)
    shown = "\n".join(f"  +{wait.total_seconds()}s {step}" for step, wait in kept)
    return f"{found}\n\n{made.text(near)}\nsteps:\n{shown}\n"


def _only(steps: Timed, machines: set[str]) -> Timed:
    """The steps of these machines, at the times they had."""
    found: Timed = []
    passed = timedelta()
    for step, wait in steps:
        passed += wait
        if machine_of(step) in {"", *machines}:
            found.append((step, passed))
            passed = timedelta()
    return found


def _fewer_lines(
    server: Server, made: Module, texts: list[str], steps: Timed, differ: Differ
) -> tuple[list[str], Differ]:
    """Leave out lines of the machines, such as compile without."""
    for number in range(len(texts)):
        at = 1
        while at < len(lines := texts[number].split("\n")) - 1:
            smaller = [*texts[:number], "\n".join(lines[:at] + lines[at + 1 :]), *texts[number + 1 :]]
            found = _replay(server, made, smaller, steps) if lines[at].startswith("  ") else None
            if found is None:
                at += 1
            else:
                texts, differ = smaller, found
    return texts, differ


def _closure(texts: list[str], machine: str) -> list[str]:
    by_name = {_name(text): text for text in texts}
    wanted, found = [machine], set[str]()
    while wanted:
        name = wanted.pop()
        if name in by_name and name not in found:
            found.add(name)
            wanted += re.findall(r"spawn (?:root )?(\w+)\(", by_name[name])
    return [text for name, text in by_name.items() if name in found]


def _replay(server: Server, made: Module, texts: list[str], steps: Timed) -> Differ | None:
    """Play steps one by one, those of machines that are there."""
    try:
        found = compiled(made, texts)
    except AssertionError:
        return None
    if found is None or len(found[1]) < len(texts):
        return None
    program, _ = found
    database = Database(server, program)
    try:
        both = Both(database, program)
        both.play_singly(steps)
        both.compare_all()
    except Differ as differ:
        return differ
    finally:
        database.close()
    return None


def machine_of(step: Step) -> str:
    """Which machine a step is about; none for one about all."""
    return "" if isinstance(step, Tick) else getattr(step, "machine", "") or step.task[0]  # type: ignore[union-attr]
