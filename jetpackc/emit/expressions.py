"""IR expressions as SQL. Null behaves as in SQL, which is what the language page asks for: a null guard is false."""

from __future__ import annotations

from collections.abc import Callable

from jetpackc.emit.sql import Sql, array_from_json, from_json, interval_literal, literal, scalar_from_json, sql_type
from jetpackc.ir import model as ir
from jetpackc.records import dataclass

_OPERATORS = {"==": "=", "!=": "<>", "++": "||"}
_ORDERED = frozenset(("<", "<=", ">", ">="))
_NUMERIC = frozenset(("int", "bigint", "float", "numeric"))
_FUNCTIONS = {
    **{"min": "least", "max": "greatest", "trim": "btrim"},
    **{"split": "string_to_array", "join": "array_to_string"},
}

_GREATEST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Scope:
    """Where an expression stands: how it reaches a column (var, param, builtin), the event's payload and the clock. The
    element of a `for` is `i.value`."""

    schema: str
    column: Callable[[str], Sql]
    payload: str = "new._payload"
    now: str = "v_now"
    look: Callable[[ir.Tree, Callable[[str], Sql]], Sql] | None = None
    """What a task sees of its children."""


def expression(node: ir.Expr, scope: Scope) -> Sql:
    """The SQL of one expression, safe to stand as an operand."""
    match node:
        case ir.Literal():
            return _literal(node)
        case ir.Ref():
            return _ref(node, scope)
        case ir.Unary():
            return Sql(f"({'not ' if node.operator == 'not' else '- '}{expression(node.operand, scope)})")
        case ir.Binary():
            return _binary(node, scope)
        case ir.IsNull():
            return Sql(f"({expression(node.operand, scope)} is {'not ' if node.negated else ''}null)")
        case ir.In():
            return _in(node, scope)
        case ir.Cast():
            return _cast(node, scope)
        case ir.Call():
            return _call(node, scope)
        case ir.Access():
            return _access(node, scope)
        case ir.Array():
            items = ", ".join(top(item, scope) for item in node.items)
            return Sql(f"array[{items}]::{sql_type(node.type, scope.schema)}")
        case ir.Tree():
            return scope.look(node, scope.column) if scope.look is not None else Sql("null")


def top(node: ir.Expr, scope: Scope) -> Sql:
    """The same, without the outer parentheses: for a place where nothing stands beside it. A `case` keeps them: its
    `then` would be that of an `if` around it."""
    text = expression(node, scope)
    outer = isinstance(node, ir.Unary | ir.Binary | ir.IsNull | ir.In)
    if outer and text.startswith("(") and not text.startswith("(case "):
        return Sql(text[1:-1])
    return text


def typed(node: ir.Expr, scope: Scope) -> Sql:
    """The same for a place where Postgres cannot tell the type of a bare constant."""
    text = top(node, scope)
    return Sql(f"({text})::{sql_type(node.type, scope.schema)}") if isinstance(node, ir.Literal) else text


def _literal(node: ir.Literal) -> Sql:
    value = node.value
    if value is None:
        return Sql("null")
    if isinstance(value, bool):
        return Sql("true" if value else "false")
    if node.type.kind == "interval" and isinstance(value, int):
        return interval_literal(value)
    if node.type.kind == "float":
        return Sql(f"{literal(str(value))}::double precision")
    if node.type.kind in _NUMERIC:
        return Sql(f"({value})") if str(value).startswith("-") else Sql(str(value))
    return literal(str(value))


def _ref(node: ir.Ref, scope: Scope) -> Sql:
    if node.scope == "event":
        return from_json(scope.payload, node.name, node.type, scope.schema)
    if node.scope == "item":
        return Sql("nullif(i.value, 'null'::jsonb)" if node.type.kind == "json" else "i.value")
    if node.scope == "builtin" and node.name == "now":
        return Sql(scope.now)
    return scope.column(node.name)


def _binary(node: ir.Binary, scope: Scope) -> Sql:
    left, right = expression(node.left, scope), expression(node.right, scope)
    if node.operator == "??":
        return Sql(f"coalesce({left}, {right})")
    if node.operator == "%":
        return Sql(f"mod({left}, {right})")
    if node.operator == "-" and node.left.type.kind == node.right.type.kind == "timestamptz":
        # A length of time has no days: Postgres would make 24 hours a day, which is another text, and may have 23.
        return Sql(f"(extract(epoch from {left} - {right})::double precision * interval '1 s')")
    collate = ' collate "C"' if node.operator in _ORDERED and node.left.type.kind in ("text", "enum") else ""
    return Sql(f"({left}{collate} {_OPERATORS.get(node.operator, node.operator)} {right})")


def _in(node: ir.In, scope: Scope) -> Sql:
    operand = expression(node.operand, scope)
    if not node.options[0].type.array or node.operand.type.array:
        return Sql(f"({operand} in ({', '.join(expression(option, scope) for option in node.options)}))")
    array = expression(node.options[0], scope)
    found = f"coalesce({operand} = any ({array}), false)"
    unknown = [text for text, part in ((operand, node.operand), (array, node.options[0])) if part.type.optional]
    if not unknown:
        return Sql(found)
    return Sql(f"(case when num_nulls({', '.join(unknown)}) = 0 then {found} end)")


def _cast(node: ir.Cast, scope: Scope) -> Sql:
    found, operand = node.operand.type, top(node.operand, scope)
    if found.kind != "json" and node.type.kind == "json":
        return Sql(f"to_jsonb(({operand})::{sql_type(found, scope.schema)})")
    if found.kind != "json" or node.type == ir.Type("json", array=found.array, optional=node.type.optional):
        return Sql(f"({operand})::{sql_type(node.type, scope.schema)}")
    value = Sql(f"to_jsonb({operand})") if found.array else operand
    if node.type.array:
        return array_from_json(value, node.type, scope.schema)
    return value if node.type.kind == "json" else scalar_from_json(value, node.type, scope.schema)


def _call(node: ir.Call, scope: Scope) -> Sql:
    values = [top(argument, scope) for argument in node.arguments]
    arguments = ", ".join(values)
    if node.function == "contains":
        return Sql(f"(strpos({arguments}) > 0)")
    if node.function == "ends_with":
        return Sql(f"(right({values[0]}, length({values[1]})) = {values[1]})")
    if node.function == "length" and node.arguments[0].type.array:
        return Sql(f"cardinality({arguments})")
    if node.function == "backoff":
        return Sql(f"jet.backoff({arguments}, {scope.column('id')})")
    if node.function in ("ceil", "floor") and node.arguments[0].type.kind != "numeric":
        return Sql(f"{node.function}(({arguments})::numeric)")  # of a whole number it would be a float
    return Sql(f"{_FUNCTIONS.get(node.function, node.function)}({arguments})")


def _access(node: ir.Access, scope: Scope) -> Sql:
    """Postgres counts the elements of an array from 1, and a negative index of json from the end: neither is meant."""
    operand, key = expression(node.operand, scope), top(node.key, scope)
    if node.operand.type.array:
        element = f"({operand})[{_plus_one(node.key, key)}]"
        return Sql(f"nullif({element}, 'null'::jsonb)" if node.type.kind == "json" else element)
    found = f"{operand} -> {key}"
    if node.key.type.kind != "text":
        # To Postgres the first element of what is no array is that itself.
        natural = "" if _is_natural(node.key) else f" and {key} >= 0"
        found = f"case when jsonb_typeof({operand}) = 'array'{natural} then {operand} -> ({key}) end"
    return Sql(f"nullif({found}, 'null'::jsonb)")


def _is_natural(key: ir.Expr) -> bool:
    return isinstance(key, ir.Literal) and isinstance(key.value, int) and key.value >= 0


def _plus_one(key: ir.Expr, text: Sql) -> str:
    """The greatest int has none that is greater, and no array has so many elements."""
    if isinstance(key, ir.Literal) and isinstance(key.value, int) and key.value < _GREATEST:
        return str(key.value + 1)
    return f"nullif({text}, {_GREATEST}) + 1"
