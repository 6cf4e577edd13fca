"""What an expression comes to: what its names mean, and what is not asked for where it does not matter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from jetpackc.interpret.model import Task
from jetpackc.ir import model as ir
from jetpackc.records import dataclass
from jetpackc.values import functions, operators
from jetpackc.values.convert import cast, element, literal
from jetpackc.values.text import Enums, Json


@dataclass(frozen=True, slots=True)
class Scope:
    """What names mean: the task as it is by now, the dispatch's one moment, the event's fields."""

    task: Task
    now: datetime
    enums: Enums
    event: Mapping[str, Any]
    item: Any = None
    """The element of a `for`."""
    results: Callable[[], Any] = list
    """What the children have returned."""

    def value(self, expr: ir.Expr, wanted: ir.Type | None = None) -> Any:
        """What an expression comes to, as a value of the wanted type. Null is None. Raises UndoneError."""
        found = self._value(expr)
        return found if wanted is None else cast(found, expr.type, wanted, self.enums)

    def holds(self, guard: ir.Expr | None) -> bool:
        """Events: a guard that is null counts as false."""
        return guard is None or self._value(guard) is True

    def _value(self, expr: ir.Expr) -> Any:
        match expr:
            case ir.Literal():
                return literal(expr)
            case ir.Ref():
                return self._read(expr)
            case ir.Binary(operator="and" | "or" | "??"):
                return self._lazy(expr)
            case ir.Binary():
                return operators.binary(expr, self._value(expr.left), self._value(expr.right), self.enums)
            case ir.Unary():
                return operators.unary(expr, self._value(expr.operand))
            case ir.IsNull():
                return (self._value(expr.operand) is None) != expr.negated
            case ir.In():
                operand = self._value(expr.operand)
                if operand is None and expr.options[0].type.array:
                    return None
                return operators.among(expr, operand, [self._value(option) for option in expr.options], self.enums)
            case ir.Cast():
                return self.value(expr.operand, expr.type)
            case ir.Call(function, arguments):
                values = [self._value(argument) for argument in arguments]
                if function == "backoff":
                    return functions.backoff(values[0], values[1], values[2], self.task.id)
                return functions.call(expr, values, self.enums)
            case ir.Access():
                operand = self._value(expr.operand)
                return None if operand is None else operators.member(operand, self._value(expr.key))
            case ir.Tree(of="children", function="results"):
                return Json(self.results())
            case ir.Tree(of, function, names):
                return self._look(of, function, names)
            case ir.Array():
                return tuple(self.value(item, element(expr.type)) for item in expr.items)

    def _read(self, ref: ir.Ref) -> Any:
        """Tasks: a name is the event's field, a var, a param, or built in."""
        match ref.scope:
            case "event":
                return self.event[ref.name]
            case "var":
                return self.task.vars[ref.name]
            case "param":
                return self.task.params[ref.name]
            case "item":
                return self.item
            case "builtin":
                return self.now if ref.name == "now" else getattr(self.task, ref.name)

    def _look(self, of: str, function: str, names: tuple[str, ...]) -> int | bool:
        """Trees: how many, whether all or any of those it has heard of are in such a state."""
        module = self.task.machine.partition(".")[0]
        found = [one for one in self.task.known.values() if of == "subtree" or one.is_child]
        hits = sum(any(one.is_in(name, module) for name in names) for one in found)
        return hits if function == "count" else hits > 0 if function == "some" else hits == len(found)

    def _lazy(self, expr: ir.Binary) -> Any:
        """The right side is not asked where the left one decides."""
        if expr.operator == "??":
            left = self.value(expr.left, expr.type)
            return self.value(expr.right, expr.type) if left is None else left
        left, decides = self._value(expr.left), expr.operator == "or"
        return decides if left is decides else operators.logic(decides, left, self._value(expr.right))
