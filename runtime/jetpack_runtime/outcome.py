"""What a handler ended with, as the outcome that the database is told.

The value of a handler dispatches SUCCESS: a dict (or a dataclass) fills the payload's fields by name, any other value
the only field, None where there is none. `Event` dispatches another event. An exception dispatches ERROR.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from .codec import encode
from .errors import BadValue
from .fit import Enums, check
from .manifest import Field, Work

# An outcome without its id and token: the rest of the JSON object. Most jobs end with one of these constants.
SUCCESS = '"event":"SUCCESS"'
RELEASED = '"event":"RELEASED"'
TIMEOUT = '"event":"TIMEOUT"'

MESSAGE_LIMIT = 2_000
TRACEBACK_LIMIT = 8_000


class Event:
    """An event with its payload: what led to a task's state, or, returned by a handler, what it ends with.

    return Event("IDLE", url=task.params["url"])
    """

    __slots__ = ("name", "payload")

    def __init__(self, name: str, /, **payload: Any) -> None:
        self.name = name
        self.payload: Mapping[str, Any] = payload

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Event) and (self.name, self.payload) == (other.name, other.payload)

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"Event({', '.join([repr(self.name), *(f'{k}={v!r}' for k, v in self.payload.items())])})"


def ending(value: Any, work: Work, enums: Enums, changes: Mapping[str, Any] | None) -> str:
    """The outcome of a handler that returned. One that does not fit is an ERROR of type "payload"."""
    if value is None and changes is None and not work.outcomes.get("SUCCESS"):
        return SUCCESS
    try:
        name, payload = _payload(value, work, enums)
        text = f'"event":{encode(name)}'
        if payload:
            text += f',"payload":{encode(payload)}'
        return f'{text},"set":{encode(changes)}' if changes else text
    except (BadValue, TypeError, ValueError, RecursionError) as error:
        return error_ending("payload", str(error), "")


def _payload(value: Any, work: Work, enums: Enums) -> tuple[str, Mapping[str, Any]]:
    if isinstance(value, Event):
        if value.name not in work.outcomes:
            raise BadValue(f"`{work.name}` has no outcome {value.name}; it has {', '.join(sorted(work.outcomes))}")
        name, payload = value.name, value.payload
    else:
        name, payload = "SUCCESS", _by_name(value, work.outcomes.get("SUCCESS", ()))
    check(payload, work.outcomes.get(name, ()), enums, name)
    return name, payload


def _by_name(value: Any, declared: tuple[Field, ...]) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if len(declared) == 1:
        return {declared[0].name: value}
    if value is None:
        return {}
    taken = ", ".join(f"`{field.name}`" for field in declared) or "nothing"
    raise BadValue(f"SUCCESS takes {taken}; the handler returned a {type(value).__name__}, not a dict")


def failure(error: BaseException) -> str:
    """The outcome of a handler that raised: ERROR with type, message and the end of the traceback."""
    try:
        # The first entry is the worker's own call of the handler.
        trace = "".join(
            traceback.format_exception(type(error), error, error.__traceback__ and error.__traceback__.tb_next)
        )
        message = str(error)
    except Exception as broken:  # an exception whose own __str__ raises must not take the worker down
        trace, message = "", f"(its text cannot be read: {type(broken).__name__})"
    return error_ending(type(error).__name__, message, trace)


def error_ending(type: str, message: str, trace: str) -> str:
    """An ERROR outcome, its texts bounded and fit for Postgres."""
    payload = {
        "type": _clean(type),
        "message": _clean(message)[:MESSAGE_LIMIT],
        "traceback": _clean(trace)[-TRACEBACK_LIMIT:],
    }
    return f'"event":"ERROR","payload":{encode(payload)}'


def _clean(text: str) -> str:
    """Without what a Postgres text cannot hold: NUL and lone surrogates."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
