"""The IR as canonical JSON: the same program always gives the same bytes, and the bytes give the program back.

A node is an object with its class name under `kind` and its fields beside it; fields that have their default are left
out, and so are spans. A `kind` field of a node (a type's, a state's) is written `is`, for the tag has its name.
"""

from __future__ import annotations

import hashlib
import json
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from functools import cache
from itertools import islice
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from jetpackc.ir import model
from jetpackc.parallel import mapped
from jetpackc.records import replace

VERSION = 1
"""Goes up when the shape of the JSON changes; `loads` refuses any other."""

_NODES: dict[str, type] = {
    cls.__name__: cls
    for cls in vars(model).values()
    if isinstance(cls, type) and cls.__module__.startswith(__package__)
}


quoted = json.encoder.encode_basestring
"""A string as JSON, with every letter as it is."""

_WIDTH = 100
"""The longest line that several values stand on, its indentation not counted."""


class IRError(ValueError):
    """The text is not the canonical JSON of a program that this version of the compiler knows."""


def dumps(program: model.Program) -> str:
    """The canonical JSON of a program: sorted keys, what fits on a line on one, a newline at the end."""
    return pretty({"ir": VERSION, "program": member(program)}) + "\n"


def member(program: model.Program) -> Any:
    """A program for `pretty`, as a member of the outermost object. Its machines, which are most of it, are text:
    all cores work on them."""
    texts = iter(mapped(_machine_text, [machine for module in program.modules for machine in module.machines]))
    modules = []
    for module in program.modules:
        modules.append(encode(replace(module, machines=())))
        if module.machines:
            modules[-1]["machines"] = list(islice(texts, len(module.machines)))
    return {**encode(replace(program, modules=())), "modules": modules}


class _Text(str):
    """JSON already."""

    __slots__ = ()


_MACHINE_MARGIN = "\n" + 5 * "  "
"""How far a machine is set in: program, modules, module, machines, machine."""


def _machine_text(machine: model.Machine) -> _Text:
    return _Text(pretty(encode(machine), _MACHINE_MARGIN))


def digest(node: Any) -> str:
    """The SHA-256 of a node's canonical JSON, in hexadecimal: equal for nodes that mean the same."""
    text = json.dumps(encode(node), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def pretty(data: Any, margin: str = "\n") -> str:
    """Data as JSON to be read and compared by people: an object or a list that fits on a line stands on one. The
    standard library's indented JSON takes ten times as long, and ten times the lines. `margin` is a line end with the
    indentation of the line that the data begins on."""
    if isinstance(data, str):
        return data if isinstance(data, _Text) else quoted(data)
    inner = margin + "  "
    if isinstance(data, dict):
        parts = [f"{quoted(key)}: {pretty(data[key], inner)}" for key in sorted(data)]
        return _bracketed("{", parts, "}", margin)
    if isinstance(data, list):
        return _bracketed("[", [pretty(item, inner) for item in data], "]", margin)
    return json.dumps(data)


def _bracketed(opening: str, parts: list[str], closing: str, margin: str) -> str:
    if sum(map(len, parts)) <= _WIDTH:
        line = ", ".join(parts)
        if len(line) <= _WIDTH and "\n" not in line:
            return f"{opening}{line}{closing}"
    inner = margin + "  "
    return f"{opening}{inner}{f',{inner}'.join(parts)}{margin}{closing}"


def loads(text: str) -> model.Program:
    """The program that `dumps` wrote, without its spans.

    Raises:
        IRError: the text is no JSON, of another version, or not of the IR's shape.
    """
    try:
        data = json.loads(text)
    except ValueError as error:
        raise IRError(f"not JSON: {error}") from None
    if not isinstance(data, dict) or "ir" not in data:
        raise IRError("not the JSON of a program: it has no `ir` version")
    if data["ir"] != VERSION:
        raise IRError(f"IR version {data['ir']!r} is unknown here, this compiler reads version {VERSION}")
    program: model.Program = _read(data.get("program"), model.Program, "program")
    return program


# ---------------------------------------------------------------- writing


def encode(value: Any) -> Any:
    """A node, or a tuple of them, as data for `json.dumps`: what the canonical JSON has in its place."""
    if type(value) is tuple:
        return [encode(item) for item in value]
    kind = type(value).__name__
    if kind not in _NODES:
        return value
    shown: dict[str, Any] = {"kind": kind}
    for name, key, default in _members(kind):
        item = getattr(value, name)
        if item is not default and (type(item) is not type(default) or item != default):
            shown[key] = item if type(item) is str else encode(item)
    return shown


@cache
def _fields(kind: str) -> tuple[Field[Any], ...]:
    return tuple(field for field in fields(_NODES[kind]) if field.compare)


@cache
def _members(kind: str) -> tuple[tuple[str, str, Any], ...]:
    """A node's fields: name, key, and the default that is left out."""
    return tuple((field.name, _key(field), field.default) for field in _fields(kind))


def _key(field: Field[Any]) -> str:
    return "is" if field.name == "kind" else field.name


# ---------------------------------------------------------------- reading


def _read(data: Any, hint: Any, at: str) -> Any:
    """`data` as a value of the annotated type `hint`; `at` is its path in the document, for messages."""
    if get_origin(hint) is tuple:
        return _read_tuple(data, get_args(hint), at)
    if get_origin(hint) is Literal:
        return _expect(data in get_args(hint), data, f"one of {', '.join(map(repr, get_args(hint)))}", at)
    options = get_args(hint) if get_origin(hint) in {Union, types.UnionType} else (hint,)
    if isinstance(data, Mapping):
        return _read_node(data, options, at)
    plain = tuple(option for option in options if option.__name__ not in _NODES)
    return _expect(type(data) in plain, data, " or ".join(option.__name__ for option in options), at)


def _read_tuple(data: Any, arguments: tuple[Any, ...], at: str) -> tuple[Any, ...]:
    _expect(isinstance(data, list), data, "a list", at)
    hints = [arguments[0]] * len(data) if arguments[-1] is Ellipsis else list(arguments)
    _expect(len(hints) == len(data), data, f"{len(hints)} items", at)
    pairs = enumerate(zip(data, hints, strict=True))
    return tuple(_read(item, hint, f"{at}[{index}]") for index, (item, hint) in pairs)


def _read_node(data: Mapping[str, Any], options: tuple[Any, ...], at: str) -> Any:
    cls = _NODES.get(str(data.get("kind")))
    if cls is None or cls not in options:
        raise IRError(f"unknown kind {data.get('kind')!r} at {at}")
    known = {_key(field): field for field in _fields(cls.__name__)}
    if unknown := sorted(set(data) - set(known) - {"kind"}):
        raise IRError(f"unknown field {unknown[0]!r} of {cls.__name__} at {at}")
    missing = [key for key, field in known.items() if key not in data and field.default is MISSING]
    if missing:
        raise IRError(f"field {missing[0]!r} of {cls.__name__} is missing at {at}")
    hints = _hints(cls.__name__)
    given = [(field.name, data[key], f"{at}.{key}") for key, field in known.items() if key in data]
    return cls(**{name: _read(value, hints[name], place) for name, value, place in given})


@cache
def _hints(kind: str) -> dict[str, Any]:
    return get_type_hints(_NODES[kind])


def _expect(holds: bool, data: Any, wanted: str, at: str) -> Any:
    if not holds:
        raise IRError(f"expected {wanted} at {at}, found {json.dumps(data)[:60]}")
    return data
