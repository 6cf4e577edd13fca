"""Random limits and turns of one machine, as .jet."""

from __future__ import annotations

from random import Random

from random_effects import Fields

LANES = frozenset({"text", "bool", "int", "bigint", "uuid", "colour", "tier"})
"""The types of params that limits and turns can go by."""


def limits(params: Fields, chance: Random) -> list[str]:
    """None, mostly; else one to three lines, of which those that go by a param all go by the same."""
    if chance.random() > 0.25:
        return []
    names = [each.text for each in params if each.kind in LANES]
    by = f" per {chance.choice(names)}" if names else ""
    drawn = {_limit(chance.choice(("", by, by)), chance) for _ in range(chance.choice((0, 1, 1, 2)) if by else 1)}
    turns = [f"  fair by {by.removeprefix(' per ')}"] if by and (not drawn or chance.random() < 0.3) else []
    return sorted(drawn) + turns


def _limit(by: str, chance: Random) -> str:
    window = f" per {chance.choice(('5s', '1m', '1h'))}" if chance.random() < 0.4 else ""
    return f"  limit {chance.randint(1, 3)}{window}{by}"
