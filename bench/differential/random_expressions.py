"""Random expressions of a wanted type, as text. What they come to stays small: neither texts nor moments grow."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random

ENUMS = {"colour": ("red", "green", "blue"), "tier": ("free", "pro")}
KINDS = ("int", "int", "int", "bigint", "numeric", "float", "text", "text", "bool", "interval", "timestamptz", "date")
OTHERS = ("uuid", "colour", "tier", "json", "bytes", "int[]", "text[]", "colour[]")
PIECES = ("a", "B", "xyz", " ", "0", "12", "-3", "it's", 'say \\"x\\"', "a\\\\b", "%", "\\n", "日", "null", "$$")
_VARY = frozenset(
    ("now", "children", "subtree", "attempts", "depth", "id", "parent", "root", "state", "created_at", "entered_at")
)
_WORD = re.compile(r"(?<![a-z0-9_])[a-z_][a-z0-9_]*")
_STRING = re.compile(r'"(?:\\.|[^"\\])*"')
UUIDS = ("0198c0de-0000-7000-8000-000000000000", "6ba7b810-9dad-11d1-80b4-00c04fd430c8")
MEMBERS = ("n", "s", "deep", "list", "none")


@dataclass(frozen=True)
class Name:
    """A name that can be read, and its type; `optional`: it may be null."""

    text: str
    kind: str
    optional: bool = False


@dataclass(frozen=True)
class Expressions:
    """Makes expressions over some names. `states` can be asked for; `growing` is whether text and arrays of names may
    be joined."""

    chance: Random
    names: Sequence[Name]
    states: Sequence[str] = ()
    growing: bool = True
    builtins: bool = True
    depth: int = field(default=3)

    def of(self, kind: str) -> str:
        """An expression of this type that is not null, in parentheses where it is more than a word."""
        simple = self.depth <= 0 or self.chance.random() < 0.3
        if simple and (known := [name for name in self.names if name.kind == kind and not name.optional]):
            return self.chance.choice(known).text
        if not simple and self.chance.random() < 0.2 and (some := self._nullable(kind)):
            return f"({some} ?? {self.less.of(kind)})"
        if simple or kind not in _COMPOUND:
            return literal(kind, self.chance)
        found = f"({_COMPOUND[kind](self.less)})"
        return found if self.varies(found) else literal(kind, self.chance)

    def varies(self, text: str) -> bool:
        """Whether an expression reads a name. Postgres computes one that does not before all others, and what it
        decides then spares the others and their errors."""
        words = set(_WORD.findall(_STRING.sub("", text)))
        return bool(words & _VARY or words.intersection(name.text for name in self.names))

    def optional(self, kind: str) -> str:
        """An expression of this type or null."""
        if self.chance.random() < 0.2:
            return "null"
        return self._nullable(kind) or self.of(kind)

    def guard(self) -> str:
        """A bool that may be null."""
        return _guard(self)

    @property
    def less(self) -> Expressions:
        """The same, for the parts of an expression."""
        return replace(self, depth=self.depth - 1)

    def _nullable(self, kind: str) -> str | None:
        known = [name.text for name in self.names if name.kind == kind and name.optional]
        arrays = [name for name in self.names if name.kind == f"{kind}[]"]
        if arrays and self.chance.random() < 0.5:
            array = self.chance.choice(arrays).text
            known.append(f"{array}[{self.chance.choice((str(self.chance.randint(-1, 4)), self.less.of('int')))}]")
        if (jsons := [name for name in self.names if name.kind == "json"]) and kind != "json":
            path = self.chance.choice(jsons).text + self._member()
            known.append(
                f"({path} as {kind})" if self.chance.random() < 0.1 else f"({path} as text)" if kind == "text" else ""
            )
        elif jsons:
            known.append(self.chance.choice(jsons).text + self._member())
        known = [one for one in known if one]
        return self.chance.choice(known) if known else None

    def _member(self) -> str:
        member = self.chance.choice(MEMBERS)
        plain = f".{member}" if self.chance.random() < 0.6 else f'["{member}"]'
        return plain + self.chance.choice(("", "", "[0]", "[1]", ".n"))


def literal(kind: str, chance: Random) -> str:
    """A constant."""
    if kind in ENUMS:
        return f"{kind}.{chance.choice(ENUMS[kind])}"
    if kind.endswith("[]"):
        items = [literal(kind[:-2], chance) for _ in range(chance.randint(0, 3))]
        return f"([{', '.join(items)}] as {kind})" if items else f"([] as {kind})"
    return _LITERALS[kind](chance)


def _number(chance: Random) -> str:
    found = chance.choice((chance.randint(-3, 9), chance.randint(-100, 100), chance.choice((0, 2**31 - 1, -(2**31)))))
    return str(found) if found >= 0 else f"({found})"


def _decimal(chance: Random) -> str:
    return chance.choice(("0.5", "1.25", "3.0", "10.00", "0.333", "(-2.75)", "100.1", "0.0", "99999.99999"))


_LITERALS: dict[str, Callable[[Random], str]] = {
    "int": _number,
    "bigint": lambda chance: chance.choice((_number(chance), "9000000000", "(-5000000000)")),
    "numeric": lambda chance: chance.choice((_decimal(chance), _number(chance))),
    "float": lambda chance: chance.choice((_decimal(chance), "2", "(1 as float)")),
    "text": lambda chance: f'"{"".join(chance.choice(PIECES) for _ in range(chance.randint(0, 2)))}"',
    "bool": lambda chance: chance.choice(("true", "false")),
    "interval": lambda chance: chance.choice(("0s", "5s", "90s", "1h30m", "2d", "250ms")),
    "timestamptz": lambda chance: chance.choice(('("2026-03-29T01:30:00+01:00" as timestamptz)', "now()")),
    "date": lambda chance: chance.choice(('("2026-02-28" as date)', '("1999-12-31" as date)')),
    "uuid": lambda chance: f'("{chance.choice(UUIDS)}" as uuid)',
    "bytes": lambda chance: f'(("\\\\x{chance.choice(("", "00", "00ff", "6a6574"))}" as json) as bytes)',
    "json": lambda chance: chance.choice(("(1 as json)", '("s" as json)', "([1, 2] as json)", "(true as json)")),
}

Maker = Callable[[Expressions], str]


def _arithmetic(kind: str, signs: str) -> Maker:
    def make(made: Expressions) -> str:
        sign = made.chance.choice(signs)
        right = literal(kind, made.chance) if sign == "*" else made.of(kind)
        return f"{made.of(kind)} {sign} {right}"

    return make


def _one_of(*makers: Maker) -> Maker:
    return lambda made: made.chance.choice(makers)(made)


def _strict(*makers: Maker) -> Maker:
    """One of these, about names that are not null."""
    return lambda made: made.chance.choice(makers)(
        replace(made, names=[name for name in made.names if not name.optional])
    )


def _extreme(kind: str) -> Maker:
    def make(made: Expressions) -> str:
        given = [made.of(kind) for _ in range(made.chance.choice((2, 2, 2, 3, 4)))]
        return f"{made.chance.choice(('min', 'max'))}({', '.join(given)})"

    return make


def _call(name: str, *kinds: str) -> Maker:
    return lambda made: f"{name}({', '.join(made.of(kind) for kind in kinds)})"


def _cast(source: str, kind: str) -> Maker:
    return lambda made: f"{made.of(source)} as {kind}"


def _word(*words: str) -> Maker:
    def make(made: Expressions) -> str:
        return made.chance.choice(words) if made.builtins else words[0]

    return make


def _joined(made: Expressions) -> str:
    """Text and arrays of names are not joined where what comes of it is kept: they would double and double."""
    fixed = _fixed(made)
    return f"{fixed.of('text')} ++ {fixed.of('text')}"


def _joined_array(made: Expressions) -> str:
    fixed = _fixed(made)
    return f"join({fixed.of('text[]')}, {literal('text', made.chance)})"


def _split(made: Expressions) -> str:
    return f'split({_fixed(made).of("text")}, "{made.chance.choice(("", " ", "a", "12", "-", "x", "日"))}")'


def _fixed(made: Expressions) -> Expressions:
    return made if made.growing else replace(made, names=[name for name in made.names if name.kind not in _GROWING])


_GROWING = frozenset(("text", "json", "int[]", "text[]", "colour[]"))


def _texts(made: Expressions) -> str:
    name = made.chance.choice(("lower", "upper", "trim"))
    return f"{name}({made.of('text')})"


def _replaced(made: Expressions) -> str:
    return (
        f'replace({made.of("text")}, "{made.chance.choice(("a", "B", "", "12", "xyz"))}", "{made.chance.choice("-_")}")'
    )


def _compare(made: Expressions) -> str:
    """A name against something else: what compares constants, or a thing with itself, does not compile."""
    known = [name for name in made.names if name.kind in _COMPARED]
    if not known:
        return "1 < 2"
    name = made.chance.choice(known)
    plain = name.kind in {"bool", "uuid", "bytes", "int[]", *ENUMS}
    other = made.of(name.kind) if made.chance.random() < 0.5 else literal(name.kind, made.chance)
    if name.text in _WORD.findall(other):
        other = literal(name.kind, made.chance)
    return f"{name.text} {made.chance.choice(('==', '!=') if plain else ('==', '!=', '<', '<=', '>', '>='))} {other}"


_COMPARED = frozenset((*KINDS, "colour", "tier", "uuid", "bytes", "int[]"))


def _reckoned(made: Expressions) -> str:
    """What comes out of a computation against a constant."""
    kind = made.chance.choice(KINDS)
    if kind == "bool":
        return _compare(made)
    return f"{made.of(kind)} {made.chance.choice(('==', '<', '>='))} {literal(kind, made.chance)}"


def _mixed(made: Expressions) -> str:
    known = [name for name in made.names if name.kind in _NUMBERS]
    if not known:
        return "1 < 2"
    name = made.chance.choice(known)
    return f"{name.text} {made.chance.choice(('==', '<', '>='))} {literal(made.chance.choice(_NUMBERS), made.chance)}"


_NUMBERS = ("int", "bigint", "numeric", "float")


def _in(made: Expressions) -> str:
    known = [name for name in made.names if name.kind in {"int", "text", "colour", "numeric", "date"}]
    if not known:
        return "1 < 2"
    name = made.chance.choice(known)
    if name.kind in {"int", "text", "colour"} and made.chance.random() < 0.5:
        return f"{name.text} in {made.of(name.kind + '[]')}"
    return f"{name.text} in ({made.of(name.kind)}, {literal(name.kind, made.chance)})"


def _null(made: Expressions) -> str:
    known = [name for name in made.names if name.optional]
    return f"{made.chance.choice(known).text} is {made.chance.choice(('', 'not '))}null" if known else _compare(made)


def _state(made: Expressions) -> str:
    if not made.states:
        return _compare(made)
    if made.chance.random() < 0.5:
        return f"state {made.chance.choice(('==', '!='))} {made.chance.choice(made.states)}"
    return f"state in ({made.chance.choice(made.states)}, {made.chance.choice(made.states)})"


def _guard(made: Expressions) -> str:
    roll = made.chance.random()
    if made.depth > 0 and roll < 0.35:
        left = _bracketed(made)
        rest = replace(made, names=[name for name in made.names if not (name.optional and name.text in left)])
        return f"{left} {made.chance.choice(('and', 'or'))} {_bracketed(rest)}"
    if made.depth > 0 and roll < 0.42:
        return f"not {_bracketed(made)}"
    kinds = (_compare, _compare, _compare, _reckoned, _reckoned, _mixed, _in, _null, _state)
    found = made.chance.choice(kinds)(made.less)
    return found if made.varies(found) else _state(made)


def _bracketed(made: Expressions) -> str:
    return f"({_guard(made.less)})"


def _length(made: Expressions) -> str:
    return f"length({made.of(made.chance.choice(('text', 'int[]', 'text[]')))})"


def _array(kind: str) -> Maker:
    def make(made: Expressions) -> str:
        fixed = _fixed(made)
        item = fixed.optional(kind) if made.chance.random() < 0.3 else fixed.of(kind)
        return made.chance.choice((f"[{item}, {fixed.of(kind)}]", f"{fixed.of(kind + '[]')} ++ [{fixed.of(kind)}]"))

    return make


def _json(made: Expressions) -> str:
    kinds = ("int", "text", "numeric", "bool", "colour", "timestamptz", "date", "interval")
    return f"{made.of(made.chance.choice(kinds))} as json"


_COMPOUND: dict[str, Maker] = {
    "int": _one_of(
        *(_arithmetic("int", "++--*/%"),) * 5,
        *(_call("abs", "int"), _extreme("int"), _length, _cast("numeric", "int"), _cast("float", "int")),
        *(_word("1", "attempts", "depth"), lambda made: f"{made.of('date')} - {made.of('date')}"),
        *(_cast("bigint", "int"), _cast("text", "int")),
    ),
    "bigint": _one_of(
        *(_arithmetic("bigint", "+-*/%"),) * 4,
        *(_call("abs", "bigint"), _extreme("bigint"), _word("7", "id % 7 + 1", "parent ?? 0", "root - id")),
        *(_cast("numeric", "bigint"), lambda made: made.of("int")),
    ),
    "numeric": _one_of(
        *(_arithmetic("numeric", "+-*/%"),) * 4,
        *(_call("round", "numeric"), _call("ceil", "numeric"), _call("floor", "numeric"), _extreme("numeric")),
        *(_call("abs", "numeric"), _cast("int", "numeric"), _cast("float", "numeric"), lambda made: made.of("bigint")),
        *(
            lambda made: f"round({made.of('numeric')}, {made.chance.randint(-1, 4)})",
            lambda made: f'"{made.chance.choice(("1.50", "-0.0", "1e3", ".5", "2."))}" as numeric',
        ),
    ),
    "float": _one_of(
        *(_arithmetic("float", "+-*/"),) * 3,
        *(_cast("int", "float"), _cast("numeric", "float"), _call("abs", "float"), _extreme("float")),
        lambda made: made.of("numeric"),
    ),
    "text": _one_of(
        *(
            _joined,
            _joined,
            _texts,
            _replaced,
            _joined_array,
            _cast("int", "text"),
            _cast("numeric", "text"),
            _cast("float", "text"),
        ),
        *(_cast("bool", "text"), _cast("colour", "text"), _cast("date", "text"), _cast("timestamptz", "text")),
        *(_cast("interval", "text"), _cast("uuid", "text"), _word('"s"', 'state ++ ""')),
    ),
    "bool": _strict(
        _compare,
        _compare,
        _reckoned,
        _mixed,
        _in,
        _state,
        _null,
        *(_call("starts_with", "text", "text"), _call("ends_with", "text", "text"), _call("contains", "text", "text")),
        _cast("bool", "bool"),
    ),
    "interval": _one_of(
        *(
            lambda made: f"{made.of('interval')} {made.chance.choice('+-')} {literal('interval', made.chance)}",
            lambda made: f"{made.of('interval')} * {made.chance.choice(('2', '0.5', '(1.5 as float)'))}",
            lambda made: f"{made.of('interval')} / {made.chance.choice(('2', '3', '0.7'))}",
            lambda made: f"{made.of('timestamptz')} - {made.of('timestamptz')}",
            lambda made: (
                f"backoff({made.of('interval')}, {made.of('int')}, cap: {made.of('interval')})"
                if made.builtins
                else made.of("interval")
            ),
        ),
        _extreme("interval"),
    ),
    "timestamptz": _one_of(
        *(
            lambda made: f"{_moment(made)} {made.chance.choice('+-')} {_short(made)}",
            lambda made: f"{made.of('date')} + {_short(made)}",
        ),
        *(_extreme("timestamptz"), _cast("date", "timestamptz"), _word("now()", "created_at", "entered_at", "now()")),
    ),
    "date": _one_of(
        lambda made: f"{literal('date', made.chance)} {made.chance.choice('+-')} ({made.of('int')} % 500)",
        *(_extreme("date"), _cast("timestamptz", "date")),
    ),
    "colour": lambda made: f'"{made.chance.choice(ENUMS["colour"])}" as colour',
    "json": _json,
    "int[]": _array("int"),
    "text[]": _one_of(_array("text"), _array("text"), _split),
    "colour[]": _array("colour"),
}


def _moment(made: Expressions) -> str:
    return (
        made.chance.choice(("now()", "created_at", literal("timestamptz", made.chance))) if made.builtins else "now()"
    )


def _short(made: Expressions) -> str:
    return f"min(max({made.of('interval')}, 0s), 60d)"
