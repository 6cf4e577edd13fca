"""The table of token classes: grammar/tokens.toml, read and checked."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from jetpackc.records import dataclass


@dataclass(frozen=True, slots=True)
class TokenClass:
    """One class: what belongs to it, and its name in each highlighter."""

    name: str
    textmate: str
    pygments: str
    vim: str
    words: tuple[str, ...]
    terminals: tuple[str, ...]
    rules: tuple[str, ...]


@cache
def classes() -> dict[str, TokenClass]:
    """All classes by name. Raises `ValueError` for a word, a terminal or a rule that stands in two of them."""
    text = files("jetpackc.grammar").joinpath("tokens.toml").read_text(encoding="utf-8")
    found = {name: _class(name, entry) for name, entry in tomllib.loads(text).items()}
    for kind in ("words", "terminals", "rules"):
        _refuse_twice(part for each in found.values() for part in getattr(each, kind))
    return found


def of_word(word: str) -> str:
    """The name of the class of a word of the grammar. Raises `KeyError` for any other."""
    return _index("words")[word]


def of_terminal(terminal: str) -> str:
    """The name of the class of a terminal, by its name in jet.lark or, if it has none, its text. Raises `KeyError`."""
    return _index("terminals")[terminal]


def of_rule(rule: str) -> str:
    """The name of the class of a name that stands in this rule of jet.lark. Raises `KeyError`."""
    return _index("rules")[rule]


def words(*names: str) -> tuple[str, ...]:
    """The words of these classes, of all of them where none is named, in alphabetical order."""
    return tuple(sorted(word for name in names or classes() for word in classes()[name].words))


def _class(name: str, entry: dict[str, str | list[str]]) -> TokenClass:
    lists = {kind: tuple(entry.get(kind, ())) for kind in ("words", "terminals", "rules")}
    return TokenClass(name, str(entry["textmate"]), str(entry["pygments"]), str(entry["vim"]), **lists)


def _refuse_twice(parts: Iterable[str]) -> None:
    seen: set[str] = set()
    for part in parts:
        if part in seen:
            raise ValueError(f"`{part}` stands twice in grammar/tokens.toml")
        seen.add(part)


@cache
def _index(kind: str) -> dict[str, str]:
    return {part: name for name, each in classes().items() for part in getattr(each, kind)}
