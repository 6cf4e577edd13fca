"""What workers, clients and tools need to know of a machine, kept beside it in `jet.machine`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from jetpackc.ir import canonical, chart, model as ir
from jetpackc.records import replace

Json = dict[str, object]
LOCKED = "LOCKED_BY_WORKER"


def machine_hash(module: ir.Module, machine: ir.Machine) -> str:
    """What one version of a machine is known by: equal for programs that mean the same."""
    return canonical.digest(replace(module, events=(), machines=(machine,), schedules=(), doc=""))


def module_hash(module: ir.Module, machines: Sequence[str]) -> str:
    """The same for a whole module, of the hashes of its machines."""
    alone = canonical.digest(replace(module, machines=()))
    return hashlib.sha256(" ".join((alone, *machines)).encode()).hexdigest()


def manifest(module: ir.Module, machine: ir.Machine) -> Json:
    """The manifest of one machine, as JSON data."""
    leaves = chart.leaves(machine)
    timers: Json = {"timers": True} if any(state.timers for state in machine.states) else {}
    limits: Json = (
        {"limits": [_limit(limit) for limit in machine.limits]} if machine.limits and chart.claimable(machine) else {}
    )
    return {
        **timers,
        **limits,
        "params": [_field(param) for param in machine.params],
        "vars": [_field(var) for var in machine.vars],
        "enums": {enum.name: list(enum.values) for enum in (*module.enums, *module.imported)},
        "events": {name: [_field(field) for field in found] for name, found in sendable(machine).items()},
        "initial": machine.initial,
        "states": [leaf.name for leaf in leaves],
        "final": [leaf.name for leaf in leaves if leaf.kind == "final"],
        "failure": [leaf.name for leaf in leaves if leaf.kind == "failure"],
        "claimable": {leaf.name: claim_target(machine, leaf) for leaf in chart.claimable(machine)},
        "work": {leaf.name: _work(machine, leaf) for leaf in chart.running(machine)},
    }


def sendable(machine: ir.Machine) -> dict[str, tuple[ir.Field, ...]]:
    """The events that may be sent from outside, with their fields."""
    return {
        signature.event: signature.fields
        for signature in machine.signatures
        if not signature.state and signature.event not in chart.LIFECYCLE
    }


def claim_target(machine: ir.Machine, leaf: ir.State) -> str:
    """The running state that a claim leads to."""
    last = chart.clauses(machine, leaf.name, LOCKED)[0].body[-1]
    return last.target if isinstance(last, ir.Goto) else leaf.name


def work_name(leaf: ir.State) -> str:
    """What a handler is bound to: a step's name for its running leaf, else the state's own."""
    return leaf.parent if leaf.parent and leaf.name.startswith(f"{leaf.parent}.") else leaf.name


def _limit(limit: ir.Limit) -> Json:
    found: Json = {"count": limit.count}
    if limit.window is not None:
        found["window"] = limit.window
    return found | {"by": limit.by} if limit.by else found


def _work(machine: ir.Machine, leaf: ir.State) -> Json:
    return {
        "name": work_name(leaf),
        "run": leaf.run,
        "timeout": leaf.timeout is not None,
        "outcomes": {
            event: [_field(field) for field in chart.fields(machine, event, leaf.name)]
            for event in chart.events(machine, leaf.name)
            if event != LOCKED
        },
    }


def _field(field: ir.Field) -> Json:
    kind = f"enum:{field.type.enum}" if field.type.kind == "enum" else field.type.kind
    kind += "[]" if field.type.array else ""
    found: Json = {"name": field.name, "type": kind, "optional": field.type.optional}
    if field.default is not None or field.type.optional:
        found["default"] = True
    return found
