"""Fields from outside, in JSON: which of them fit, and what they are as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jetpackc.ir.model import Field
from jetpackc.values.convert import from_json
from jetpackc.values.errors import BAD_CALL, UndoneError
from jetpackc.values.text import Enums


def called(what: str, given: Any, fields: Sequence[Field], enums: Enums) -> dict[str, Any]:
    """The values of what a caller gives for the params or the event `what`: every field that must be there, and no
    other. Raises UndoneError."""
    if not isinstance(given, Mapping):
        raise UndoneError(BAD_CALL, f"{what} takes an object of fields")
    unknown = sorted(set(given) - {each.name for each in fields})
    why = f"{what} has no field '{unknown[0]}'" if unknown else lacking(what, given, fields)
    if why:
        raise UndoneError(BAD_CALL, why)
    try:
        return values([each for each in fields if each.name in given], given, enums)
    except UndoneError as error:
        raise UndoneError(BAD_CALL, str(error)) from None


def lacking(what: str, given: Mapping[str, Any], fields: Sequence[Field]) -> str | None:
    """Which field is missing or null, and must not be; None where all are there."""
    required = (each for each in fields if each.default is None and not each.type.optional)
    found = next((each for each in required if given.get(each.name) is None), None)
    return f"{what} needs field '{found.name}'" if found else None


def values(fields: Sequence[Field], given: Mapping[str, Any], enums: Enums) -> dict[str, Any]:
    """Every field's value, None for one that is missing. Raises UndoneError."""
    return {each.name: from_json(given.get(each.name), each.type, enums) for each in fields}
