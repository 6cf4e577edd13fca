"""Does a value fit its declared field: asked here, so that one odd outcome does not fail a batch in the database."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from .errors import BadValue
from .manifest import Field

Enums = Mapping[str, tuple[str, ...]]

_PYTHON: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    "int": (int,),
    "bigint": (int,),
    "float": (float, int),
    "numeric": (Decimal, int, float),
    "text": (str,),
    "uuid": (UUID, str),
    "timestamptz": (datetime, str),
    "date": (date, str),
    "interval": (timedelta, int, float, str),
    "bytes": (bytes, bytearray, memoryview),
}

_BITS = {"int": 31, "bigint": 63}


def check(values: Mapping[str, Any], fields: tuple[Field, ...], enums: Enums, owner: str) -> None:
    """Every required field is there, none is unknown, each value fits. `owner` names whose fields they are."""
    known = {field.name for field in fields}
    for name in values:
        if name not in known:
            raise BadValue(f"{owner} has no field `{name}`; {_listed(fields)}")
    for field in fields:
        if values.get(field.name) is not None or not field.default:
            check_value(values.get(field.name), field, enums)


def check_value(value: Any, field: Field, enums: Enums) -> None:
    """Raise BadValue unless `value` fits `field`. None fits an optional one."""
    if value is None:
        if not field.optional:
            raise BadValue(f"`{field.name}` takes {_article(field.type)} and has no value")
        return
    if field.type.endswith("[]"):
        _check_items(value, field, enums)
    elif field.type.startswith("enum:"):
        _check_enum(value, field, enums)
    else:
        _check_type(value, field)


def _check_items(value: Any, field: Field, enums: Enums) -> None:
    if not isinstance(value, list | tuple):
        raise BadValue(f"`{field.name}` takes a list, not {_article(type(value).__name__)}")
    item = Field(field.name, field.type.removesuffix("[]"), optional=True)
    for one in value:
        check_value(one, item, enums)


def _check_enum(value: Any, field: Field, enums: Enums) -> None:
    values = enums.get(field.type.removeprefix("enum:"), ())
    if getattr(value, "value", value) not in values:
        raise BadValue(f"`{field.name}` takes one of {', '.join(f'`{one}`' for one in values)}")


def _check_type(value: Any, field: Field) -> None:
    accepted = _PYTHON.get(field.type, (object,))
    if not isinstance(value, accepted) or (isinstance(value, bool) and bool not in accepted and object not in accepted):
        raise BadValue(f"`{field.name}` takes {_article(field.type)}, not {_article(type(value).__name__)}")
    bits = _BITS.get(field.type)
    if bits is not None and not -(2**bits) <= value < 2**bits:
        raise BadValue(f"`{field.name}` is out of the range of {_article(field.type)}")


def _article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiouAEIOU" else f"a {noun}"


def _listed(fields: tuple[Field, ...]) -> str:
    return "it has " + (", ".join(f"`{field.name}`" for field in fields) if fields else "none")
