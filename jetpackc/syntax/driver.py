"""Runs lark's LALR tables over a text that parses, in a third of the time that lark's own loop takes.

lark reads the grammar and builds the tables, the patterns of the terminals and the functions that shape the tree. Here is
only the loop around them: the LR parsing algorithm (Aho, Sethi and Ullman, Compilers, algorithm 4.7) with a scanner that
looks for those terminals that the state can take. It knows nothing of errors: where a text does not parse, the caller asks
lark why.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from lark import Lark
from lark.parse_tree_builder import ParseTreeBuilder
from lark.parsers.lalr_analysis import Shift


class Tree:
    """A node of the concrete syntax: the grammar's rule or alias, and what it is made of: nodes, tokens, and None for
    an optional part that is not there. `start` and `end` are offsets in the text; `start` is -1 where it has no text."""

    __slots__ = ("children", "data", "end", "start")

    def __init__(self, data: str, children: list[Any]) -> None:
        self.data = data
        self.children = children
        self.start = -1
        self.end = -1


class Token(str):
    """The text of a terminal, with its name and its offsets."""

    __slots__ = ("end", "start", "type")
    type: str
    start: int
    end: int


class _Reduction(NamedTuple):
    """Make a node of the last `size` values by `shape`, and go on as if it were the symbol `origin`."""

    size: int
    origin: str
    shape: Callable[[list[Any]], Any]


class _State(NamedTuple):
    """Where a symbol leads to: another state, or a reduction; and how the terminals that may come are found."""

    actions: Mapping[str, int | _Reduction]
    scan: Callable[[str, int, int], re.Match[str] | None]


class Driver:
    """The tables of one grammar, made ready state by state as texts need them."""

    def __init__(self, lark: Lark) -> None:
        frontend: Any = lark.parser
        table = frontend.parser.parser.parse_table
        self._table = table.states
        self._first: int = table.start_states["start"]
        self._last: int = table.end_states["start"]
        self._lexers = frontend.lexer.lexers
        builder: Any = ParseTreeBuilder
        self._shapes = builder(lark.rules, Tree, maybe_placeholders=True).create_callback()
        terminals = {symbol for rule in lark.rules for symbol in rule.expansion if symbol.is_term}
        self._dropped = frozenset(symbol.name for symbol in terminals if getattr(symbol, "filter_out", False))
        ignored = [one.pattern.to_regexp() for one in lark.terminals if one.name in lark.lexer_conf.ignore]
        self._blank = re.compile(f"(?:{'|'.join(ignored)})+")
        self._states: dict[int, _State] = {}

    def parse(self, text: str, start: int, end: int) -> Tree | None:
        """The tree of `text[start:end]`, its offsets those of the whole text; None where that does not parse."""
        known, blank, dropped = self._states, self._blank.match, self._dropped
        states, values, starts, ends = [self._first], list[Any](), list[int](), list[int]()
        position = start
        while True:
            if skipped := blank(text, position, end):
                position = skipped.end()
            actions, scan = known.get(states[-1]) or self._state(states[-1])
            found = scan(text, position, end)
            name: Any = found.lastgroup if found else "$END"
            action: Any = actions.get(name)
            while type(action) is _Reduction:
                size, origin, shape = action
                cut = len(values) - size
                value = shape(values[cut:])
                first, last = _extent(starts, ends, cut)
                if type(value) is Tree and value.start < 0:
                    value.start, value.end = first, last
                del states[cut + 1 :], values[cut:], starts[cut:], ends[cut:]
                state: Any = (known.get(states[-1]) or self._state(states[-1])).actions[origin]
                states.append(state)
                values.append(value)
                starts.append(first)
                ends.append(last)
                action = (known.get(state) or self._state(state)).actions.get(name)
            if found is None or action is None:
                return values[0] if position >= end and states[-1] == self._last else None
            states.append(action)
            starts.append(position)
            values.append(None if name in dropped else _token(found, name, position))
            position = found.end()
            ends.append(position)

    def _state(self, number: int) -> _State:
        actions = {
            symbol: target
            if action is Shift
            else _Reduction(len(target.expansion), target.origin.name, self._shapes[target])
            for symbol, (action, target) in self._table[number].items()
        }
        (pattern,) = self._lexers[number].scanner._mres  # noqa: SLF001
        state = self._states[number] = _State(actions, pattern.match)
        return state


def _token(found: re.Match[str], name: str, start: int) -> Token:
    token = Token(found[0])
    token.type, token.start, token.end = name, start, found.end()
    return token


def _extent(starts: list[int], ends: list[int], cut: int) -> tuple[int, int]:
    """From where to where the values behind `cut` stand, -1 where they have no text."""
    if cut < len(starts) and starts[cut] >= 0 and ends[-1] >= 0:
        return starts[cut], ends[-1]
    return next((one for one in starts[cut:] if one >= 0), -1), next((one for one in reversed(ends[cut:]) if one >= 0), -1)
