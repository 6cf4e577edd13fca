"""Every rule there is, by code. A code or a name that stands twice is refused at import."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType, ModuleType

from jetpackc.diagnostics.model import Rule
from jetpackc.diagnostics.rules import expansion, flow, migration, names, syntax, tests, types

AREAS: tuple[ModuleType, ...] = (syntax, names, types, flow, expansion, migration, tests)


def rules_of(area: ModuleType) -> tuple[Rule, ...]:
    """The rules of one area, in the order of their lines."""
    return tuple(value for value in vars(area).values() if isinstance(value, Rule))


def collect(rules: Iterable[Rule]) -> Mapping[str, Rule]:
    """The rules by code, in the order of their codes.

    Raises ValueError where two rules share a code or a name.
    """
    by_code: dict[str, Rule] = {}
    by_name: dict[str, Rule] = {}
    for rule in rules:
        other = by_code.get(rule.code) or by_name.get(rule.name)
        if other is not None:
            raise ValueError(f"{rule.code} {rule.name} and {other.code} {other.name} share a code or a name")
        by_code[rule.code] = by_name[rule.name] = rule
    return MappingProxyType(dict(sorted(by_code.items())))


RULES: Mapping[str, Rule] = collect(rule for area in AREAS for rule in rules_of(area))
