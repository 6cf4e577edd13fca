"""Expressions: names resolved, types found. What has an error is reported once and comes out as None."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from jetpackc.check import looks as trees, operators, types
from jetpackc.check.arguments import Callee, match
from jetpackc.check.facts import path, where_not_true, where_true
from jetpackc.check.functions import FUNCTIONS, Function, Param
from jetpackc.check.names import type_of
from jetpackc.check.operators import fit
from jetpackc.check.scope import Scope
from jetpackc.diagnostics.rules import names as name_rules, types as type_rules
from jetpackc.diagnostics.suggest import did_you_mean
from jetpackc.ir import model as ir
from jetpackc.records import replace
from jetpackc.source import Span
from jetpackc.syntax import ast

_GUARD = ir.Type("bool", optional=True)
_SCOPES = frozenset(("event", "var", "param"))
_TREES = frozenset(("subtree", "children"))


def value(node: ast.Expr, scope: Scope, wanted: ir.Type, declared: Span | None = None) -> ir.Expr | None:
    """The expression as a value of the wanted type, which also tells a bare enum value its enum.

    `declared` is where what takes the value says its type.
    """
    found = typed(node, scope, wanted)
    return found and fit(found, wanted, node.span, scope.report, declared)


def guard(node: ast.Expr, scope: Scope) -> ir.Expr | None:
    """The expression as a guard: a bool, which may be null and is false then."""
    return value(node, scope, _GUARD)


def typed(node: ast.Expr, scope: Scope, wanted: ir.Type | None = None) -> ir.Expr | None:
    """The expression with the type it has by itself. `wanted` is a hint for bare enum values and for array literals."""
    match node:
        case ast.Constant():
            return _constant(node, scope)
        case ast.Variable():
            return _variable(node, scope, wanted)
        case ast.Member():
            return _member(node, scope)
        case ast.Index():
            return _index(node, scope)
        case ast.ArrayExpr():
            return _array(node, scope, wanted)
        case ast.Call():
            return _call(node, scope)
        case ast.Unary():
            return _unary(node, scope)
        case ast.Binary():
            return _binary(node, scope, wanted)
        case ast.IsNull():
            operand = typed(node.operand, scope)
            return operand and ir.IsNull(operand, node.negated, types.BOOL)
        case ast.In():
            return _in(node, scope)
        case ast.Cast():
            return _cast(node, scope)
        case ast.Ascribed():
            wanted = type_of(node.type, scope.module.enums, scope.report)
            return value(node.value, scope, wanted) if wanted else None


# ---------------------------------------------------------------- constants and names


def _constant(node: ast.Constant, scope: Scope) -> ir.Expr | None:
    match node.kind:
        case "int":
            return _int(int(str(node.value)), node.span, scope)
        case "number":
            return ir.Literal(str(node.value), types.NUMERIC)
        case "string":
            return ir.Literal(str(node.value), types.TEXT)
        case "duration":
            return ir.Literal(node.value, types.INTERVAL)
        case "bool":
            return ir.Literal(node.value, types.BOOL)
        case "null":
            return ir.Literal(None, types.NULL)


def _int(number: int, span: Span, scope: Scope) -> ir.Expr | None:
    for type in (types.INT, types.BIGINT):
        if number in types.INT_RANGES[type.kind]:
            return ir.Literal(number, type)
    operators.out_of_range(str(number), types.BIGINT, span, scope.report)
    return None


def _variable(node: ast.Variable, scope: Scope, wanted: ir.Type | None) -> ir.Expr | None:
    found = scope.lookup(node.name)
    if found is not None:
        where, type = found
        return ir.Ref(where, node.name, type) if type else None
    if wanted is not None and wanted.kind == "enum":
        return _enum_value(scope.module.enums[wanted.enum], node.name, node.span, scope, scope.names())
    _unknown(node, scope)
    return None


def _unknown(node: ast.Variable, scope: Scope) -> None:
    help = ""
    if node.name == "now":
        help = "write `now()`"
    elif node.name in scope.unread:
        message = f"`{node.name}` cannot be read here"
        scope.report.add(name_rules.UNKNOWN_NAME, message, node.span, "not known yet", help=scope.unread[node.name])
        return
    elif node.name in scope.elsewhere and scope.event is None:
        event = scope.elsewhere[node.name]
        help = f"it is a field of `{event}`, and visible in a clause of `on {event}` only; keep it in a var"
    elif node.name in _SCOPES | _TREES:
        help = f"`{node.name}` is no value by itself; name a member of it: `{node.name}.…`"
    words = ("null", "var")
    scope.report.unknown(name_rules.UNKNOWN_NAME, "name", node.name, node.span, scope.names(), help=help, words=words)


def _enum_value(enum: ir.Enum, name: str, span: Span, scope: Scope, others: Sequence[str] = ()) -> ir.Expr | None:
    if name in enum.values:
        return ir.Literal(name, ir.Type("enum", enum.name))
    what = f"value of enum `{enum.name}`"
    scope.report.unknown(name_rules.UNKNOWN_ENUM_VALUE, what, name, span, [*enum.values, *others])
    return None


def _member(node: ast.Member, scope: Scope) -> ir.Expr | None:
    base = node.base
    if isinstance(base, ast.Variable):
        if base.name in _SCOPES:
            return _scoped(base.name, node, scope)
        if base.name in _TREES:
            return trees.results(base.name, node, scope)
        if base.name in scope.module.enums:
            return _enum_value(scope.module.enums[base.name], node.name.text, node.name.span, scope)
    if (enum := _foreign_enum(base, scope)) is not None:
        return _enum_value(enum, node.name.text, node.name.span, scope)
    found = typed(base, scope)
    if found is None:
        return None
    if types.is_plain(found.type, "json"):
        return _access(found, ir.Literal(node.name.text, types.TEXT), types.MEMBER, scope)
    message = f"`{types.show(found.type)}` has no members"
    counts = node.name.text in {"length", "len", "size", "count"} and (found.type.array or found.type.kind == "text")
    help = "`length(x)` is how long a text or an array is" if counts else ""
    scope.report.add(
        type_rules.NO_MEMBER, message, node.name.span, f"member of a `{types.show(found.type)}`", help=help
    )
    return None


def _foreign_enum(node: ast.Expr, scope: Scope) -> ir.Enum | None:
    """`module.enum`, where no value is called as the module is."""
    if not isinstance(node, ast.Member) or not isinstance(node.base, ast.Variable) or scope.lookup(node.base.name):
        return None
    return scope.module.enums.get(f"{node.base.name}.{node.name.text}")


def _index(node: ast.Index, scope: Scope) -> ir.Expr | None:
    """`c["k"]` and `c[0]` of json, `xs[0]` of an array."""
    base = typed(node.base, scope)
    if base is None:
        return None
    if base.type.array:
        key = value(node.key, scope, types.INT)
        return key and _access(base, key, types.element(base.type), scope)
    if base.type.kind == "json":
        key = typed(node.key, scope)
        wanted = types.TEXT if key and types.is_plain(key.type, "text") else types.INT
        key = key and operators.fit(key, wanted, node.key.span, scope.report)
        return key and _access(base, key, types.MEMBER, scope)
    shown = types.show(base.type)
    scope.report.add(type_rules.NO_MEMBER, f"`{shown}` has no elements", node.base.span, f"a `{shown}`")
    return None


def _access(operand: ir.Expr, key: ir.Expr, type: ir.Type, scope: Scope) -> ir.Expr:
    """What is found there, which is not null where a guard has shown that."""
    found = ir.Access(operand, key, type)
    return replace(found, type=types.required(type)) if path(found) in scope.known else found


def _array(node: ast.ArrayExpr, scope: Scope, wanted: ir.Type | None) -> ir.Expr | None:
    """`[a, b]`: of the type that is wanted, else of that of its items."""
    item = types.element(wanted) if wanted is not None and wanted.array else _item_type(node, scope)
    if item is None:
        return None
    items = [value(each, scope, item) for each in node.items]
    found = tuple(each for each in items if each is not None)
    return ir.Array(found, types.array_of(item)) if len(found) == len(items) else None


def _item_type(node: ast.ArrayExpr, scope: Scope) -> ir.Type | None:
    """What the items have in common. They are lowered again as values of it, and a finding is kept once only."""
    shared: ir.Type = types.NULL
    for item in node.items:
        found = typed(item, scope, shared)
        if found is None:
            return None
        wider = types.common(shared, found.type)
        if wider is None or found.type.array:
            message, shown = "the items of an array are of one type", types.show(found.type)
            beside = "array inside an array" if found.type.array else f"`{shown}` beside a `{types.show(shared)}`"
            scope.report.add(type_rules.TYPE_MISMATCH, message, item.span, f"a {beside}")
            return None
        shared = wider
    if shared.kind == "null":
        help = "say it: `[] as text[]`"
        scope.report.add(type_rules.TYPE_MISMATCH, "an array of what?", node.span, "of no type by itself", help=help)
        return None
    return replace(shared, optional=True)


def _scoped(base: str, node: ast.Member, scope: Scope) -> ir.Expr | None:
    name = node.name
    found = scope.member(base, name.text)
    if found is not None:
        where, type = found
        return ir.Ref(where, name.text, type) if type else None
    if base != "event":
        candidates = scope.vars if base == "var" else scope.params
        scope.report.unknown(name_rules.UNKNOWN_NAME, base, name.text, name.span, candidates)
    elif scope.event is None:
        help = "keep what is needed later in a var"
        scope.report.add(name_rules.NO_EVENT_HERE, "there is no event here", node.span, "only in `on`", help=help)
    else:
        known = f"it has {', '.join(f'`{field}`' for field in scope.event)}" if scope.event else "it has no fields"
        declared = {field.name: field.span for field in scope.event.values() if field.span.path}
        scope.report.unknown(
            *(name_rules.UNKNOWN_FIELD, "field", name.text, name.span, scope.event),
            help=f"of this event: {known}",
            declared=declared,
        )
    return None


# ---------------------------------------------------------------- operators


def _unary(node: ast.Unary, scope: Scope) -> ir.Expr | None:
    if node.operator == "not":
        operand = guard(node.operand, scope)
        return operand and ir.Unary("not", operand, operand.type)
    if isinstance(node.operand, ast.Constant) and node.operand.kind in {"int", "number"}:
        return _negative(node.operand, node.span, scope)
    operand = typed(node.operand, scope)
    return operand and operators.negate(node, operand, scope.report)


def _negative(constant: ast.Constant, span: Span, scope: Scope) -> ir.Expr | None:
    """A negative number is a constant of its own: the least int has no positive one."""
    if constant.kind == "number":
        return ir.Literal(f"-{constant.value}", types.NUMERIC)
    return _int(-int(str(constant.value)), span, scope)


def _binary(node: ast.Binary, scope: Scope, wanted: ir.Type | None) -> ir.Expr | None:
    if node.operator in {"and", "or"}:
        return _logic(node, scope)
    if _is_state_test(node, scope):
        return _state_test(node, scope)
    pair = _pair(node.left, node.right, scope, wanted if node.operator in {"??", "++"} else None)
    if pair is None:
        return None
    if node.operator in operators.COMPARISONS:
        return operators.compare(node, *pair, scope.report)
    if node.operator in operators.ARITHMETIC:
        return operators.arithmetic(node, *pair, scope.report)
    if node.operator == "++":
        return operators.concatenate(node, *pair, scope.report)
    return operators.coalesce(node, *pair, scope.report)


def _logic(node: ast.Binary, scope: Scope) -> ir.Expr | None:
    left = guard(node.left, scope)
    shown = where_true(left) if node.operator == "and" else where_not_true(left)
    right = guard(node.right, scope.knowing(shown))
    if left is None or right is None:
        return None
    return ir.Binary(node.operator, left, right, types.optional_if(types.BOOL, left.type, right.type))


def _pair(left: ast.Expr, right: ast.Expr, scope: Scope, wanted: ir.Type | None) -> tuple[ir.Expr, ir.Expr] | None:
    """Both operands; each tells the other of which type a bare value or an array literal is."""
    if wanted is None and _is_bare(left, scope):
        second, first = _hinted(right, left, scope, None)
    else:
        first, second = _hinted(left, right, scope, wanted)
    return (first, second) if first is not None and second is not None else None


def _hinted(
    one: ast.Expr, other: ast.Expr, scope: Scope, wanted: ir.Type | None
) -> tuple[ir.Expr | None, ir.Expr | None]:
    """One expression, then another that is hinted by its type. A bare value without a hint is not held against it."""
    first = typed(one, scope, wanted)
    if first is None and _is_bare(other, scope):
        return None, None
    return first, typed(other, scope, first.type if first else None)


def _is_bare(node: ast.Expr, scope: Scope) -> bool:
    """Whether it takes its type from what it stands beside."""
    if isinstance(node, ast.ArrayExpr):
        return True
    return isinstance(node, ast.Variable) and scope.lookup(node.name) is None


def _in(node: ast.In, scope: Scope) -> ir.Expr | None:
    if node.collection is not None:
        pair = _pair_in(node.operand, node.collection, scope)
        return pair and operators.member_of(node, *pair, scope.report)
    if _is_state(node.operand, scope):
        leaves = [_leaves(option, scope) for option in node.options or ()]
        found = [leaf for names in leaves if names for leaf in names]
        return _in_states(node.operand, tuple(dict.fromkeys(found))) if all(leaves) else None
    operand = typed(node.operand, scope)
    if operand is None:
        return None
    options = [typed(option, scope, operand.type) for option in node.options or ()]
    if None in options:
        return None
    if len(options) == 1 and options[0] and options[0].type.array and not operand.type.array:
        return operators.member_of(node, operand, options[0], scope.report)
    return operators.one_of(node, operand, tuple(option for option in options if option), scope.report)


def _pair_in(operand: ast.Expr, collection: ast.Expr, scope: Scope) -> tuple[ir.Expr, ir.Expr] | None:
    """The operands of `x in xs`; the array tells which enum a bare value is of."""
    whole = typed(collection, scope)
    if whole is None and _is_bare(operand, scope):
        return None
    one = typed(operand, scope, types.element(whole.type) if whole else None)
    return (one, whole) if one is not None and whole is not None else None


def _cast(node: ast.Cast, scope: Scope) -> ir.Expr | None:
    wanted = type_of(node.type, scope.module.enums, scope.report)
    operand = typed(node.operand, scope, wanted if wanted and _is_open(node.operand, scope) else None)
    if wanted is None or operand is None:
        return None
    return operators.cast(node, operand, wanted, scope.report)


def _is_open(node: ast.Expr, scope: Scope) -> bool:
    """Whether it is an array literal that has no type by itself: `[]`, or of bare values of an enum."""
    return isinstance(node, ast.ArrayExpr) and all(_is_bare(item, scope) for item in node.items)


# ---------------------------------------------------------------- `state == charging`


def _is_state_test(node: ast.Binary, scope: Scope) -> bool:
    """Whether it is `state == s`; against a text or another name's value it is an ordinary comparison."""
    right = node.right
    if node.operator not in {"==", "!="} or not _is_state(node.left, scope) or _dotted(right) is None:
        return False
    root = right
    while isinstance(root, ast.Member):
        root = root.base
    return isinstance(root, ast.Variable) and root.name not in _SCOPES and scope.lookup(root.name) is None


def _state_test(node: ast.Binary, scope: Scope) -> ir.Expr | None:
    """`state == s`, where `s` means every leaf in it."""
    leaves = _leaves(node.right, scope)
    test = _in_states(node.left, leaves) if leaves else None
    return ir.Unary("not", test, types.BOOL) if test and node.operator == "!=" else test


def _in_states(node: ast.Expr, leaves: tuple[str, ...]) -> ir.Expr:
    assert isinstance(node, ast.Variable)
    state = ir.Ref("builtin", node.name, types.TEXT)
    return ir.In(state, tuple(ir.Literal(leaf, types.TEXT) for leaf in leaves), types.BOOL)


def _is_state(node: ast.Expr, scope: Scope) -> bool:
    return isinstance(node, ast.Variable) and scope.lookup(node.name) == ("builtin", types.TEXT)


def _leaves(node: ast.Expr, scope: Scope) -> tuple[str, ...] | None:
    name = _dotted(node)
    if name is None:
        found = typed(node, scope)
        if found is not None:
            scope.report.add(type_rules.TYPE_MISMATCH, "expected the name of a state", node.span, "no state's name")
        return None
    if name not in scope.states:
        scope.report.unknown(name_rules.UNKNOWN_STATE, "state", name, node.span, scope.states)
        return None
    return scope.states[name]


def _dotted(node: ast.Expr) -> str | None:
    """`charging.ready` as one name."""
    if isinstance(node, ast.Variable):
        return node.name
    base = _dotted(node.base) if isinstance(node, ast.Member) else None
    return f"{base}.{node.name.text}" if isinstance(node, ast.Member) and base else None


# ---------------------------------------------------------------- calls


def _not_callable(node: ast.Call, name: str | None, scope: Scope) -> None:
    base, _, called = (name or "").partition(".")
    near = did_you_mean(base, _TREES) if called in {"count", "all", "some"} and scope.lookup(base) is None else None
    if near is None or not isinstance(node.function, ast.Member):
        method = node.function.name.text if isinstance(node.function, ast.Member) else ""
        help = f"write `{method}(x)`: what a function works on stands in its parentheses" if method in FUNCTIONS else ""
        scope.report.add(type_rules.NOT_CALLABLE, "this is no function", node.function.span, "called here", help=help)
    else:
        scope.report.unknown(name_rules.UNKNOWN_NAME, "name", base, node.function.base.span, _TREES)


def _call(node: ast.Call, scope: Scope) -> ir.Expr | None:
    name = _dotted(node.function)
    if name is not None and name.partition(".")[0] in _TREES:
        return trees.count(node, scope)
    if not isinstance(node.function, ast.Variable) or name is None:
        _not_callable(node, name, scope)
        return None
    if name == "now":
        matched = match(Callee("now", {}, node.span), node.arguments, scope.report)
        return ir.Ref("builtin", "now", types.TIMESTAMPTZ) if matched.complete else None
    if name in FUNCTIONS:
        return _apply(FUNCTIONS[name], node, scope)
    if scope.lookup(name) is not None:
        scope.report.add(type_rules.NOT_CALLABLE, f"`{name}` is no function", node.function.span, "called here")
    elif name == "coalesce" and len(node.arguments) > 1:
        operators.fallback(node, scope.report)
    else:
        help = f"`x as {name}` converts" if name in get_args(ir.TypeKind) else ""
        scope.report.unknown(
            *(name_rules.UNKNOWN_FUNCTION, "function", name, node.function.span, [*FUNCTIONS, "now"]), help=help
        )
    return None


def _apply(function: Function, node: ast.Call, scope: Scope) -> ir.Expr | None:
    params = _params(function, len(node.arguments))
    optional = {param.name: param.default is not None for param in params}
    matched = match(Callee(function.name, optional, node.span), node.arguments, scope.report)
    if not matched.complete:
        return None
    lowered = [_argument(param, matched.given.get(param.name), function, scope) for param in params]
    arguments = tuple(argument for argument in lowered if argument is not None)
    if len(arguments) < len(params):
        return None
    if function.result is not None:
        return ir.Call(function.name, arguments, function.result)
    return _generic(function, arguments, node, scope)


def _params(function: Function, count: int) -> tuple[Param, ...]:
    """The params for a call with so many arguments."""
    if not function.variadic:
        return function.params
    more = range(len(function.params) + 1, count + 1)
    return (*function.params, *(replace(function.params[-1], name=f"number {index}") for index in more))


def _argument(param: Param, given: ast.Expr | None, function: Function, scope: Scope) -> ir.Expr | None:
    if given is None:
        return param.default
    found = typed(given, scope, param.type)
    if found is None:
        return None
    if param.type is not None and not (param.or_array and found.type.array):
        return operators.fit(found, param.type, given.span, scope.report)
    if param.or_array:
        return operators.required_value(given, found, scope.report)
    takes = types.is_number(found.type) if function.numbers else found.type.kind in types.EXTREMES
    if takes:
        return operators.required_value(given, found, scope.report)
    message = f"`{function.name}` does not take `{types.show(found.type)}`"
    scope.report.add(type_rules.TYPE_MISMATCH, message, given.span, f"a `{types.show(found.type)}`")
    return None


def _generic(function: Function, arguments: tuple[ir.Expr, ...], node: ast.Call, scope: Scope) -> ir.Expr | None:
    shared = arguments[0].type
    for argument, written in zip(arguments, node.arguments, strict=True):
        wider = types.common(shared, argument.type)
        if wider is None:
            message = f"`{function.name}` takes values of one type"
            label = f"a `{types.show(argument.type)}` beside a `{types.show(shared)}`"
            scope.report.add(type_rules.TYPE_MISMATCH, message, written.span, label)
            return None
        shared = wider
    return ir.Call(function.name, tuple(operators.adapt(argument, shared) for argument in arguments), shared)
