"""Which changes of a program its live tasks can take as they are, and which would strand one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from jetpackc.check.walk import is_constant
from jetpackc.diagnostics.model import Diagnostic
from jetpackc.diagnostics.rules.migration import UNSUPPORTED_CHANGE
from jetpackc.ir import chart, model as ir
from jetpackc.ir.kin import Kin
from jetpackc.ir.news import News
from jetpackc.source import Span

_BESIDE = "keep it as it is and write the new one beside it"


def refused(old: ir.Program, new: ir.Program) -> tuple[Diagnostic, ...]:
    """What this version cannot migrate yet, one diagnostic a change."""
    modules = {module.name: module for module in new.modules}
    found: list[Diagnostic] = []
    for module in old.modules:
        if module.name in modules:
            found += _module(module, modules[module.name])
        elif module.machines:
            found.append(
                _change(f"module `{module.name}` was removed", None, "keep the module; its tasks may be alive")
            )
    return (*found, *_counts(News(Kin(old)), News(Kin(new))))


def _counts(old: News, new: News) -> Iterator[Diagnostic]:
    """Counts are kept from the making of a child on: nobody has counted one that lives, or has by other names."""
    for name, (_, machine) in new.kin.machines.items():
        alive = [one for one in old.kin.below(name) if one in new.kin.machines] if name in old.kin.machines else []
        if not alive or not (new.reads_subtree(name) or new.reads_children(name)):
            continue
        begins = (new.reads_subtree(name) and not old.reads_subtree(name)) or (
            new.reads_children(name) and not old.reads_children(name)
        )
        others = [one for one in alive if _is_told_otherwise(old.keys(one), new.keys(one))]
        if begins or others:
            what = f"tells other states of `{others[0]}` apart" if others and not begins else "begins to count children"
            help = "its tasks may have children that were not counted so: let a new machine spawn and count them"
            yield _change(f"machine `{name}` {what}", machine.span, help)


def _is_told_otherwise(old: Mapping[str, str], new: Mapping[str, str]) -> bool:
    return any(new.get(leaf, key) != key for leaf, key in old.items())


def _change(message: str, span: Span | None, help: str, label: str = "changed here") -> Diagnostic:
    note = "this version migrates only what adds to a program; nothing was written"
    return Diagnostic(UNSUPPORTED_CHANGE, message, span, label if span else "", notes=(note,), help=help)


def _module(old: ir.Module, new: ir.Module) -> Iterator[Diagnostic]:
    enums = {enum.name: enum for enum in new.enums}
    for enum in old.enums:
        if enum.name not in enums:
            yield _change(f"enum `{enum.name}` was removed", new.span, "keep it until no column is of its type")
            continue
        for value in sorted(set(enum.values) - set(enums[enum.name].values)):
            message = f"value `{value}` of enum `{enum.name}` was removed"
            yield _change(message, enums[enum.name].span, "keep the value: tasks may hold it", "no longer here")
    machines = {machine.name: machine for machine in new.machines}
    for machine in old.machines:
        if machine.name in machines:
            yield from _machine(machine, machines[machine.name])
        else:
            message = f"machine `{machine.name}` of module `{old.name}` was removed or renamed"
            yield _change(message, new.span, "keep the machine; its tasks may be alive", "no longer here")


def _machine(old: ir.Machine, new: ir.Machine) -> Iterator[Diagnostic]:
    yield from _fields(old.params, new.params, "param", new)
    yield from _fields(old.vars, new.vars, "var", new)
    yield from _states(old, new)


def _fields(
    old: tuple[ir.Field, ...], new: tuple[ir.Field, ...], what: str, machine: ir.Machine
) -> Iterator[Diagnostic]:
    before, after = {field.name: field for field in old}, {field.name: field for field in new}
    for name, field in before.items():
        if name not in after:
            message = f"{what} `{name}` of machine `{machine.name}` was removed or renamed"
            yield _change(message, machine.span, f"keep it; an unused {what} costs little", "no longer here")
        elif after[name].type != field.type:
            message = f"{what} `{name}` of machine `{machine.name}` changed its type"
            yield _change(message, after[name].span, f"keep its type and add a {what} of another name")
    for name, field in after.items():
        if name not in before and not field.type.optional and not _has_constant(field):
            message = f"{what} `{name}` of machine `{machine.name}` is new and has no constant for the tasks that exist"
            yield _change(message, field.span, f"make it optional, or give it a constant default: `{name}: … = …`")


def _has_constant(field: ir.Field) -> bool:
    return field.default is not None and is_constant(field.default)


def _states(old: ir.Machine, new: ir.Machine) -> Iterator[Diagnostic]:
    roles = {leaf.name: _role(new, leaf) for leaf in chart.leaves(new)}
    spans = {leaf.name: leaf.span for leaf in chart.leaves(new)}
    for leaf in chart.leaves(old):
        role = _role(old, leaf)
        if leaf.name not in roles:
            message = f"state `{leaf.name}` of machine `{new.name}` was removed or renamed"
            help = "keep it, with a way out, until no task is in it"
            yield _change(message, new.span, help, "no longer here")
        elif roles[leaf.name] != role:
            message = f"state `{leaf.name}` of machine `{new.name}` was {role}, and is {roles[leaf.name]} now"
            yield _change(message, spans[leaf.name], f"tasks may rest in it: {_BESIDE}")
        elif not _same_timers(chart.timers(old, leaf.name), chart.timers(new, leaf.name)):
            message = f"the timers of state `{leaf.name}` of machine `{new.name}` are not those it had"
            help = "tasks may rest in it: keep them, in their order, and give what is new to a new state"
            yield _change(message, spans[leaf.name], help)


def _same_timers(old: tuple[ir.Timer, ...], new: tuple[ir.Timer, ...]) -> bool:
    """Whether the moments that a task keeps are still those of the same timers. Another duration is for who comes; a
    duration that has moved is another timer's."""
    before = [(timer.kind, timer.value) for timer in old]
    after = [(timer.kind, timer.value) for timer in new]
    return [kind for kind, _ in before] == [kind for kind, _ in after] and all(
        was == now or now not in before for was, now in zip(before, after, strict=True)
    )


def _role(machine: ir.Machine, leaf: ir.State) -> str:
    """What the row of a task in this state is kept for: columns and leases hang on it."""
    if leaf.kind != "plain":
        return "final"
    if leaf.run is not None:
        return "a state that is worked in"
    return "a state that workers claim from" if chart.clauses(machine, leaf.name, chart.LOCKED) else "a state of rest"
