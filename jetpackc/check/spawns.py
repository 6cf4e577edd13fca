"""Spawns, seen from the machine that they make a task of."""

from __future__ import annotations

from jetpackc.check.report import Report
from jetpackc.diagnostics.rules import flow as rules
from jetpackc.ir import chart, model as ir
from jetpackc.ir.kin import spawns


def check_spawns(module: ir.Module, report: Report) -> None:
    """Report each `spawn … in` of a machine that does not start where a worker claims."""
    known = {machine.name: machine for machine in module.machines}
    for machine in module.machines:
        for spawn in spawns(machine):
            made = known.get(spawn.machine)
            if made is not None and spawn.delay is not None and not _starts_claimable(made):
                _report(spawn, made.initial, report)


def _starts_claimable(machine: ir.Machine) -> bool:
    return not machine.initial or any(leaf.name == machine.initial for leaf in chart.claimable(machine))


def _report(spawn: ir.Spawn, initial: str, report: Report) -> None:
    message = f"`{spawn.machine}` starts in `{initial}`, where no worker claims, and `in` delays nothing but a claim"
    help = "leave out `in`, or let it start in a state with `on LOCKED_BY_WORKER`"
    report.add(rules.DELAY_NOT_CLAIMABLE, message, spawn.span, "delays nothing", help=help)
