"""The schedules of a module: a row each for the schema `jet`, and the function that fires their slots."""

from __future__ import annotations

from dataclasses import asdict

from jetpackc import cron
from jetpackc.emit.expressions import Scope
from jetpackc.emit.objects import SqlObject, function
from jetpackc.emit.render import render
from jetpackc.emit.shape import SETTINGS
from jetpackc.emit.sql import Sql, json_literal, json_object, literal, qualified
from jetpackc.emit.statements import json_value, place
from jetpackc.ir import model as ir

_SLOT = {"slot": Sql("v_slot.at"), "today": Sql("v_slot.today")}


def fire_slots(module: ir.Module) -> Sql:
    """The name of the function that fires what is due."""
    return qualified(module.name, "_fire_slots")


def schedules(module: ir.Module) -> list[SqlObject]:
    """Nothing for a module without schedules."""
    if not module.schedules:
        return []
    scope = Scope(module.name, _SLOT.__getitem__)
    text = render(
        "fire_slots",
        fire=fire_slots(module),
        module=literal(module.name),
        settings=SETTINGS,
        schedules=[_fired(module, one, scope) for one in module.schedules],
    )
    return [function(fire_slots(module), text, "integer"), *(_row(module, one) for one in module.schedules)]


def _fired(module: ir.Module, one: ir.Schedule, scope: Scope) -> dict[str, Sql]:
    schema, _, machine = one.spawn.machine.rpartition(".")
    members: list[tuple[str, Sql]] = [(name, json_value(value, scope)) for name, value in one.spawn.arguments]
    return {
        "name": literal(one.name),
        "place": Sql(place(one.span)),
        "insert": qualified(schema or module.name, f"_{machine}_insert"),
        "task": json_object([*members, ("_at", Sql("v_now")), ("_by", literal(one.name))]),
    }


def _row(module: ir.Module, one: ir.Schedule) -> SqlObject:
    names = f"{literal(module.name)}, {literal(one.name)}"
    text = (
        f"select jet.schedule_put({names},\n"
        f"  {json_literal(plan(one))},\n"
        f"  {literal(one.zone)}, {literal(one.missed)});"
    )
    return SqlObject("data", f"jet.schedule {module.name}.{one.name}", text, f"select jet.schedule_drop({names});")


def plan(one: ir.Schedule) -> dict[str, object]:
    """What the database computes slots from."""
    if one.every:
        seconds, rest = divmod(one.every, 1000)
        return {"every": one.every / 1000 if rest else seconds}
    return {"cron": one.cron, **asdict(cron.plan(one.cron))}
