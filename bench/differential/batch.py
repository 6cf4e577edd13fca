"""One batch: a random module, random steps for all its machines, and a smaller case of what they disagree on."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from random import Random
from time import perf_counter

from constants import has_failing_constant
from contest_of_two import Both, DifferError
from random_machines import Module, module
from random_steps import Step, Steps, Stop, Tick
from server_side import Database

from jetpackc.check.expansion import expand
from jetpackc.check.program import lower
from jetpackc.check.report import Report
from jetpackc.ir import model as ir
from jetpackc.postgres import Server
from jetpackc.source import Source
from jetpackc.syntax import ast, parse

NAME = "d"
WAITS = tuple(timedelta(seconds=seconds) for seconds in (0.001, 0.001, 0.25, 1, 2, 7, 60, 400, 4000))
ENOUGH = float(os.environ.get("ENOUGH", "60"))
"""Seconds of this process for making a case smaller."""
_deadline = [0.0]
Timed = list[tuple[Step, timedelta]]


@dataclass(frozen=True)
class Played:
    """What a batch came to. `otherwise`: steps that both undid, each for another reason. `disagreement`: the first one,
    with a case that shows it."""

    programs: int
    transitions: int
    otherwise: int
    disagreement: str | None = None


_HARMLESS = frozenset(("J303", "J304", "J305", "J322", "J330"))
"""What a random machine may do that no sensible one does: guards that are never true, clauses that are never tried,
states that nothing leads to or leaves."""


def compiled(made: Module, machines: Sequence[str]) -> tuple[ir.Program, list[str]]:
    """The program of these machines, and their texts; a stub is in the place of each that does not compile."""
    stubs = {_name(stub): stub for stub in made.stubs}
    head = _tree("head", "\n".join(made.head))
    looked_at = set(stubs.values())
    while True:
        report = Report()
        trees = [head, *(_tree(_name(text), f"module {NAME}\n{text}") for text in machines)]
        program = lower(expand(trees, report), report)
        wrong = [each for each in report.diagnostics if each.is_error and each.rule.code not in _HARMLESS]
        bad = {each.span.path for each in wrong if each.span}
        bad |= _failing(program, {_name(text) for text in machines if text not in looked_at} - bad)
        looked_at.update(machines)
        kept = [stubs[_name(text)] if _name(text) in bad else text for text in machines]
        if kept == list(machines):
            assert not wrong, wrong[0].message
            return program, kept
        machines = kept


@lru_cache(maxsize=256)
def _tree(name: str, text: str) -> ast.File:
    tree, found = parse(Source(name, text))
    assert not found, found[0].message
    return tree


def _failing(program: ir.Program, names: set[str]) -> set[str]:
    (module,) = program.modules
    enums = {enum.name: enum.values for enum in module.enums}
    return {each.name for each in module.machines if each.name in names and has_failing_constant(each, enums)}


def _name(machine: str) -> str:
    return re.split(r"[( ]", machine)[1]


def play(server: Server, seed: str, machines: int, rounds: int) -> Played:
    """Play a batch to its end, or to the first disagreement."""
    chance = Random(seed)
    made = module(NAME, machines, chance)
    program, texts = compiled(made, made.machines)
    programs = len(set(texts) - set(made.stubs))
    done: Timed = []
    database = Database(server, program)
    try:
        both = Both(database, program)
        chosen = {
            name: Steps(name, machine, chance, hears=name in both.hearing) for name, machine in both.machines.items()
        }
        try:
            for _ in range(rounds):
                steps = next_round(both, chosen, chance)
                done += steps
                both.play(steps)
            both.compare_all()
        except DifferError as found:
            differ = _earliest(both, found)
            print(f"seed {seed}: {differ}", file=sys.stderr, flush=True)
            shown = _case(server, made, texts, done, differ)
            return Played(programs, len(both.world.history), both.otherwise, f"seed {seed}\n{shown}")
        return Played(programs, len(both.world.history), both.otherwise)
    finally:
        database.close()


def _earliest(both: Both, differ: DifferError) -> DifferError:
    """What an answer differs in often began before: the first hop that differs, where there is one. (Postgres has
    played its round to the end; what is later than that answer says nothing.)"""
    try:
        both.compare_hops(both.world.now.isoformat())
    except DifferError as earlier:
        return earlier
    return differ


def next_round(both: Both, chosen: dict[str, Steps], chance: Random) -> Timed:
    """Up to two steps for each machine, some time apart, and now and then a tick."""
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


def _case(server: Server, made: Module, texts: list[str], steps: Timed, differ: DifferError) -> str:
    """The disagreement with no more machines and steps than it needs, as far as leaving out one by one tells."""
    _deadline[0] = perf_counter() + ENOUGH
    machine = differ.machine.partition(".")[2]
    near = _closure(texts, machine) if machine else texts
    kept = _only(steps, {f"{NAME}.{_name(text)}" for text in near})
    found = _replay(server, made, near, kept, differ)
    if found is None:
        near, found = texts, differ
    near, found = _fewer_machines(server, made, near, kept, found)
    kept = _only(steps, {f"{NAME}.{_name(text)}" for text in near})
    for size in (256, 64, 16, 4, 1):
        at = 0
        while at < len(kept):
            fewer = kept[:at] + kept[at + size :]
            smaller = _replay(server, made, near, fewer, differ)
            if smaller is None:
                at += size
            else:
                kept, found = fewer, smaller
    near, found = _fewer_machines(server, made, near, kept, found)
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


def _fewer_machines(
    server: Server, made: Module, texts: list[str], steps: Timed, differ: DifferError
) -> tuple[list[str], DifferError]:
    """Leave out machines, or put their stubs in their places, many at once or one by one."""
    stubs = {_name(stub): stub for stub in made.stubs}
    names, own = [_name(text) for text in texts], differ.machine.partition(".")[2]
    near = {own, *_made(texts).get(own, ()), *(maker for maker, found in _made(texts).items() if own in found)}
    chunks = [set(names) - near] if own else []
    chunks += ({*names[at : at + size]} for size in (16, 4, 1) for at in range(0, len(names), size))
    for chunk in chunks:
        gone = chunk - {own}
        stubbed = [stubs[_name(text)] if _name(text) in gone else text for text in texts]
        for fewer in ([text for text in texts if _name(text) not in gone], stubbed):
            found = None if fewer == texts else _replay(server, made, fewer, steps, differ)
            if found is not None:
                texts, differ = fewer, found
                break
    return texts, differ


def _fewer_lines(
    server: Server, made: Module, texts: list[str], steps: Timed, differ: DifferError
) -> tuple[list[str], DifferError]:
    """Leave out lines of the machines, such as compile without."""
    for number in range(len(texts)):
        at = 1 if texts[number] not in made.stubs else len(texts[number])
        while at < len(lines := texts[number].split("\n")) - 1:
            smaller = [*texts[:number], "\n".join(lines[:at] + lines[at + 1 :]), *texts[number + 1 :]]
            found = _replay(server, made, smaller, steps, differ) if lines[at].startswith("  ") else None
            if found is None:
                at += 1
            else:
                texts, differ = smaller, found
    return texts, differ


def _made(texts: Sequence[str]) -> dict[str, set[str]]:
    """Which machines each one makes."""
    return {_name(text): set(re.findall(r"spawn (?:root )?(\w+)\(", text)) - {"self"} for text in texts}


def _closure(texts: list[str], machine: str) -> list[str]:
    """The machines that this one makes, and those that make it, and so on."""
    made, wanted, found = _made(texts), [machine], set[str]()
    while wanted:
        name = wanted.pop()
        if name in made and name not in found:
            found.add(name)
            wanted += [*made[name], *(maker for maker, those in made.items() if name in those)]
    return [text for text in texts if _name(text) in found]


def _replay(server: Server, made: Module, texts: list[str], steps: Timed, former: DifferError) -> DifferError | None:
    """Play steps one by one, those of machines that are there, and tell what is wrong with the machine that something
    was wrong with; None, too, when making it smaller took long enough."""
    if perf_counter() > _deadline[0]:
        return None
    try:
        program, found = compiled(made, texts)
    except AssertionError:
        return None
    if found != texts:
        return None
    database = Database(server, program)
    try:
        both = Both(database, program)
        both.play_singly(_only(steps, set(both.machines)))
        both.compare_all()
    except DifferError as differ:
        return differ if differ.machine == former.machine else None
    finally:
        database.close()
    return None


def machine_of(step: Step) -> str:
    """Which machine a step is about; none for one about all."""
    return "" if isinstance(step, Tick) else getattr(step, "machine", "") or step.task[0]  # type: ignore[union-attr]
