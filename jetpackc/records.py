"""`dataclass` as in the standard library, for a program that has to start fast.

The standard one compiles seven methods for each class as soon as it is defined; for the classes of this compiler that
takes longer than all else that `check` does with a file. Here most methods are shared by all classes, and those that
are not are written when they are first called. What comes out is a dataclass to `fields`, `is_dataclass` and type
checkers. Of the parameters it knows `frozen` and `slots`; there is no `init=False`, no `__post_init__`, and no
inheriting of fields. `replace` takes half the time of the standard one.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import MISSING, Field, FrozenInstanceError
from operator import attrgetter
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any, NoReturn

__all__ = ["dataclass", "replace"]

_KIND: Any = vars(dataclasses)["_FIELD"]
"""What `fields` knows a field by."""

if TYPE_CHECKING:
    from dataclasses import dataclass, replace
else:

    def dataclass(cls: type | None = None, /, *, frozen: bool = False, slots: bool = False) -> Any:
        """Make a class a dataclass."""
        return _made(cls, frozen, slots) if cls else lambda found: _made(found, frozen, slots)

    def replace(record: Any, /, **changes: Any) -> Any:
        """A record that differs from another in these fields. A dataclass of another make is left to its own."""
        written = getattr(type(record), "_replaced", None)
        return written(record, **changes) if written else dataclasses.replace(record, **changes)


def _made(cls: Any, frozen: bool, slots: bool) -> Any:
    fields = {name: _field(cls, name, hint) for name, hint in inspect.get_annotations(cls).items()}
    compared = [name for name, field in fields.items() if field.compare]
    made = _slotted(cls, fields) if slots else cls
    added = {
        "__dataclass_fields__": fields,
        "__match_args__": tuple(fields),
        "_values": _getter([*fields]),
        "_compared": _getter(compared),
        "__init__": _late(made, "__init__", lambda: _initializer(made, frozen)),
        "_replaced": _late(made, "_replaced", lambda: _replacer(made)),
        "__repr__": _repr,
        "__eq__": _eq,
        **(_FROZEN if frozen else {"__hash__": None}),
    }
    for name, value in added.items():
        setattr(made, name, value)
    return made


def _field(cls: type, name: str, hint: Any) -> Any:
    default = cls.__dict__.get(name, MISSING)
    field: Any = default if isinstance(default, Field) else dataclasses.field(default=default)
    field.name, field.type, field._field_type = name, hint, _KIND
    return field


def _slotted(cls: Any, fields: Iterable[str]) -> Any:
    """The class made again, which is when slots come about; one name cannot hold a slot and a default."""
    left_out = {"__dict__", "__weakref__", *fields}
    namespace = {name: value for name, value in cls.__dict__.items() if name not in left_out}
    named = {"__qualname__": cls.__qualname__, "__slots__": tuple(fields)}
    return type(cls.__name__, cls.__bases__, {**namespace, **named})


def _getter(names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """What reads some fields of a record."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda record: tuple([getattr(record, name) for name in names])


# ---------------------------------------------------------------- the methods that each class has of its own


def _late(cls: Any, name: str, write: Callable[[], Any]) -> Callable[..., Any]:
    """A method that writes the one which then takes its place."""

    def first(self: Any, *values: Any, **named: Any) -> Any:
        setattr(cls, name, write())
        return getattr(self, name)(*values, **named)

    return first


def _replacer(cls: Any) -> Any:
    parameters = ", ".join(f"{name}=MISSING" for name in cls.__match_args__)
    values = ", ".join(f"self.{name} if {name} is MISSING else {name}" for name in cls.__match_args__)
    known: dict[str, Any] = {"MISSING": MISSING, "RECORD": cls}
    exec(f"def _replaced(self, {parameters}):\n  return RECORD({values})", known)  # noqa: S102 - names of fields
    return known["_replaced"]


def _initializer(cls: Any, frozen: bool) -> Any:
    known: dict[str, Any] = {"MISSING": MISSING}  # and more in capitals: no field has such a name
    parameters, lines = ["self"], ["pass"]
    for name, field in cls.__dataclass_fields__.items():
        known[f"DEFAULT_{name}"] = field.default
        known[f"MAKE_{name}"] = field.default_factory
        known[f"PUT_{name}"] = _setter(cls, name)
        made = field.default_factory is not MISSING
        optional = made or field.default is not MISSING
        parameters.append(f"{name}=DEFAULT_{name}" if optional else name)
        value = f"MAKE_{name}() if {name} is MISSING else {name}" if made else name
        lines.append(f"PUT_{name}(self, {value})" if frozen else f"self.{name} = {value}")
    exec(f"def __init__({', '.join(parameters)}):\n  " + "\n  ".join(lines), known)  # noqa: S102 - names of fields
    return known["__init__"]


def _setter(cls: type, name: str) -> Callable[[Any, Any], None]:
    """What sets a field of an object that refuses to be changed."""
    slot = cls.__dict__.get(name)
    if isinstance(slot, MemberDescriptorType):
        return slot.__set__
    return lambda record, value: object.__setattr__(record, name, value)


# ---------------------------------------------------------------- the methods that all share


def _repr(self: Any) -> str:
    shown = [f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self) if field.repr]
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _eq(self: Any, other: Any) -> Any:
    if type(other) is not type(self):
        return NotImplemented
    read = type(self)._compared
    return read(self) == read(other)


def _hash(self: Any) -> int:
    return hash(type(self)._compared(self))


def _reduce(self: Any) -> tuple[type, tuple[Any, ...]]:
    return type(self), type(self)._values(self)


def _set(_: Any, name: str, value: object) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign {value!r} to field {name!r}")


def _delete(_: Any, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


_FROZEN = {"__hash__": _hash, "__setattr__": _set, "__delattr__": _delete, "__reduce__": _reduce}
