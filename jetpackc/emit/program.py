"""All SQL objects of a program."""

from __future__ import annotations

from jetpackc.emit import messages
from jetpackc.emit.comments import comment
from jetpackc.emit.machine import machine_objects
from jetpackc.emit.manifest import machine_hash, module_hash
from jetpackc.emit.objects import SqlObject, function
from jetpackc.emit.render import render
from jetpackc.emit.schedules import schedules
from jetpackc.emit.shape import Shape
from jetpackc.emit.sql import ident, literal, qualified
from jetpackc.emit.timers import timers_of
from jetpackc.emit.work import has_timeouts
from jetpackc.ir import model as ir
from jetpackc.ir.kin import Kin
from jetpackc.ir.news import News
from jetpackc.parallel import mapped

SUPPORT_VERSION = 2
"""The version of the schema `jet` that this compiler writes; `jet.meta` tells the one installed."""

_HANDING = 0.08
"""How long it takes to pickle a machine's objects, in parts of the time that it takes to make them."""

Machine = tuple[str, list[SqlObject]]
"""A machine's hash, and its objects."""


def emit(program: ir.Program) -> tuple[SqlObject, ...]:
    """Every object that the program needs, in the order in which they can be created."""
    objects = [support()]
    for module in program.modules:  # tables of one module may have columns of another's types
        objects += _schema(module)
    news = News(Kin(program))
    shapes = [Shape(module, machine, news) for module in program.modules for machine in module.machines]
    made = mapped(_machine, shapes, _HANDING)
    for module in program.modules:
        count = len(module.machines)
        objects += _machines(module, shapes[:count], made[:count])
        made, shapes = made[count:], shapes[count:]
    return tuple(objects)


def support() -> SqlObject:
    """The schema `jet`, as one object."""
    return SqlObject("support", "jet", render("jet", version=SUPPORT_VERSION))


def _schema(module: ir.Module) -> list[SqlObject]:
    schema = ident(module.name)
    objects = [SqlObject("schema", schema, f"create schema {schema};", f"drop schema {schema};")]
    objects += comment("schema", schema, module.doc)
    for enum in module.enums:
        objects += _enum(module, enum)
    return objects


def _machines(module: ir.Module, shapes: list[Shape], made: list[Machine]) -> list[SqlObject]:
    objects = [one for _, found in made for one in found]
    data = _data(module, [hash for hash, _ in made])
    return [
        *objects,
        *_tick(module, shapes),
        *schedules(module),
        *messages.pump_all(module, shapes),
        *timers_of(module, shapes),
        data,
    ]


def _machine(shape: Shape) -> Machine:
    hash = machine_hash(shape.module, shape.machine)
    return hash, machine_objects(shape, hash)


def _enum(module: ir.Module, enum: ir.Enum) -> list[SqlObject]:
    """A domain over text: unlike a real enum it can lose a value, and use a new one in the migration that adds it."""
    domain, check = qualified(module.name, enum.name), ident(f"{enum.name}_check")
    values = ", ".join(literal(value) for value in enum.values)
    definition = f"constraint {check} check (value in ({values}))"
    return [
        SqlObject(
            "domain",
            domain,
            f'create domain {domain} as text collate "C"\n  {definition};',
            f"drop domain {domain};",
            identity=f"domain {domain}",
        ),
        SqlObject(
            "constraint",
            f"{domain}.{check}",
            f"alter domain {domain} add {definition};",
            f"alter domain {domain} drop constraint {check};",
            within=f"domain {domain}",
        ),
        *comment("domain", domain, enum.doc),
    ]


def _tick(module: ir.Module, shapes: list[Shape]) -> list[SqlObject]:
    expires = [
        {"name": shape.names.internal("expire"), "timeouts": has_timeouts(shape)} for shape in shapes if shape.works
    ]
    if not expires:
        return []
    name = qualified(module.name, "_tick")
    trigger = ident(f"{module.name}_tick")
    text = f"create trigger {trigger} after update of beat on jet.pulse\n  for each row execute function {name}();"
    return [
        function(name, render("tick", tick=name, expires=expires), ""),
        SqlObject("trigger", f"jet.pulse.{trigger}", text, f"drop trigger {trigger} on jet.pulse;"),
    ]


def _data(module: ir.Module, machines: list[str]) -> SqlObject:
    from jetpackc import __version__  # noqa: PLC0415 - reads the package's metadata

    hash = module_hash(module, machines)
    text = (
        "insert into jet.module (name, hash, compiler)\n"
        f"values ({literal(module.name)}, {literal(hash)}, {literal(__version__)})\n"
        "on conflict (name) do update set hash = excluded.hash, compiler = excluded.compiler, applied_at = clock_timestamp();"
    )
    drop = f"delete from jet.module where name = {literal(module.name)};"
    return SqlObject("data", f"jet.module {module.name}", text, drop, identity=hash)
