"""A machine: its params, vars, states and clauses, from the tree to the IR."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from jetpackc.check.expressions import value
from jetpackc.check.keep import keep_history, keeps
from jetpackc.check.names import declare, refuse_reserved, type_of
from jetpackc.check.order import check_keys, check_queue, fair, limits, priority
from jetpackc.check.report import Report
from jetpackc.check.scope import BUILTINS, Fields, ModuleScope, Scope, Typed
from jetpackc.check.signatures import Signatures, handlers
from jetpackc.check.spawn import with_aliases
from jetpackc.check.statements import Place
from jetpackc.check.states import States
from jetpackc.check.tree import Tree, check_tree
from jetpackc.check.uniques import unique
from jetpackc.diagnostics.rules import types as type_rules
from jetpackc.ir import model as ir
from jetpackc.records import dataclass, replace
from jetpackc.source import Span
from jetpackc.syntax import ast

_LATER: dict[type, str] = {ast.Removed: "`removed`"}


@dataclass(frozen=True, slots=True)
class Declared:
    """A machine whose head was read: the types of its params."""

    node: ast.Machine
    params: Fields


@dataclass(frozen=True, slots=True)
class Lowered:
    """A machine in the IR and, for its flow checks, the place of its name and the states it has from its template."""

    machine: ir.Machine
    name: Span
    inherited: frozenset[str]


def lower(declared: Declared, module: ModuleScope, report: Report) -> Lowered:
    """The machine. What of it could not be made sense of was reported and is left out or stands for itself."""
    node = with_aliases(declared.node, report)
    _refuse_later(node, report)
    variables = _vars(node, declared.params, module, report)
    tree = Tree(node.members, report)
    check_tree(tree, node.name, report)
    signatures = Signatures(handlers(node, tree), tree, module, report)
    elsewhere = signatures.elsewhere()
    scope = Scope(
        *(module, report, declared.params, variables),
        elsewhere=elsewhere,
        states=tree.leaves,
        builtins=BUILTINS,
        machine=node.name.text,
    )
    machine_wide = [member for member in node.members if isinstance(member, ast.On)]
    place = Place(tree.entries, tree.claimable(machine_wide), None)
    check_keys(node.members, report)
    check_queue(node.members, place.claimable, report)
    deferred = _deferred(node.members, signatures)
    states = States(tree, signatures, scope, place, _ignored(node.members, signatures), deferred)
    lowered = tuple(states.lower(name) for name in tree.nodes)
    wide = tuple(states.on(member, place) for member in machine_wide)
    initial = tree.initial_of(None)
    entry = initial and tree.entries[initial]
    uniques = [member for member in node.members if isinstance(member, ast.Unique)]
    ignored = dict.fromkeys(event for state in lowered for event in (*state.ignore, *state.defer))
    machine = ir.Machine(
        name=node.name.text,
        params=_param_fields(node.params, declared.params, scope),
        vars=_var_fields(node.members, variables, scope),
        states=lowered,
        initial=entry or "",
        on=wide,
        signatures=signatures.as_ir(ignored),
        uniques=tuple(unique(member, scope) for member in uniques),
        priority=priority(node.members, scope),
        limits=limits(node.members, scope),
        fair=fair(node.members, scope),
        keeps=keeps(node.members, lowered, report),
        keep_history=keep_history(node.members),
        doc=node.doc,
        span=node.span,
    )
    return Lowered(machine, node.name.span, frozenset(name for name, found in tree.nodes.items() if found.inherited))


def _refuse_later(node: ast.Machine, report: Report) -> None:
    """Report the parts of the language that come later."""
    if node.was is not None:
        report.unsupported("`was`", node.was.span)
    for member in node.members:
        what = _LATER.get(type(member))
        if what is not None:
            report.unsupported(what, member.span)


def _vars(node: ast.Machine, params: Fields, module: ModuleScope, report: Report) -> Fields:
    """The vars with their types, the first of each name. A param's name is taken, for both are columns."""
    seen: dict[str, Span] = {param.name: param.span for param in params.values()}
    found: dict[str, Typed] = {}
    for member in node.members:
        if not isinstance(member, ast.Var):
            continue
        refuse_reserved(member.name, "var", report)
        type = type_of(member.type, module.enums, report)
        declare(member.name, "var", seen, report)
        found.setdefault(member.name.text, Typed(member.name.text, type, member.name.span, member.default is not None))
        if member.was is not None:
            report.unsupported("`was`", member.was.span)
        if member.default is None and type is not None and not type.optional:
            message = f"var `{member.name.text}` has no value to start with"
            help = "give it a default, or make its type optional with `?`"
            report.add(type_rules.NO_DEFAULT, message, member.span, "neither optional nor given a default", help=help)
    return found


def _ignored(members: Iterable[ast.MachineMember], signatures: Signatures) -> tuple[str, ...]:
    names = [event for member in members if isinstance(member, ast.Ignore) for event in member.events]
    signatures.check_ignored(names)
    return tuple(dict.fromkeys(event.text for event in names))


def _deferred(members: Iterable[ast.MachineMember], signatures: Signatures) -> tuple[str, ...]:
    names = [event for member in members if isinstance(member, ast.Defer) for event in member.events]
    signatures.check_deferred(names)
    return tuple(dict.fromkeys(event.text for event in names))


def _param_fields(nodes: Sequence[ast.Field], params: Fields, scope: Scope) -> tuple[ir.Field, ...]:
    """Params with their defaults, each of which may read the params before it."""
    found: list[ir.Field] = []
    before: dict[str, Typed] = {}
    for node in nodes:
        param = params[node.name.text]
        if param.type is not None and param.name not in before:
            narrow = Scope(scope.module, scope.report, params=dict(before))
            default = value(node.default, narrow, param.type) if node.default else None
            found.append(ir.Field(param.name, param.type, default, node.doc, node.span))
        before[param.name] = param
    return tuple(found)


def _var_fields(members: Iterable[ast.MachineMember], variables: Fields, scope: Scope) -> tuple[ir.Field, ...]:
    """Vars with their defaults, which may read the params."""
    narrow = replace(Scope(scope.module, scope.report, scope.params), elsewhere=scope.elsewhere)
    found: dict[str, ir.Field] = {}
    for node in members:
        if not isinstance(node, ast.Var) or node.name.text not in variables or node.name.text in found:
            continue
        type = variables[node.name.text].type
        if type is not None:
            default = value(node.default, narrow, type) if node.default else None
            found[node.name.text] = ir.Field(node.name.text, type, default, node.doc, node.span)
    return tuple(found.values())
