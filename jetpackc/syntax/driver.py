"""From a text that parses to its tree, by lark's tables, in a third of the time that lark's own loop takes.

The LR parsing algorithm (Aho, Sethi and Ullman, Compilers, algorithm 4.7) with a scanner that looks for those terminals
that the state can take. It knows nothing of errors: where a text does not parse, the caller asks lark why.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from jetpackc.syntax.tables import Rule, Tables

Scan = Callable[[str, int, int], re.Match[str] | None]
Shape = Callable[[list[Any], int, int], Any]

_OWN_PATTERN_AFTER = 20
"""A pattern of a state's own terminals is quick to match and slow to compile: how often a state is come to before it
gets one."""


class Tree:
    """A node of the concrete syntax: the grammar's rule or alias, and what it is made of: nodes, tokens, and None for
    an optional part that is not there. `start` and `end` are offsets in the text, -1 where it has no text."""

    __slots__ = ("children", "data", "end", "start")

    def __init__(self, data: str, children: list[Any], start: int, end: int) -> None:
        self.data = data
        self.children = children
        self.start = start
        self.end = end


class Token(str):
    """The text of a terminal, with its name and its offsets."""

    __slots__ = ("end", "start", "type")
    type: str
    start: int
    end: int


class Driver:
    """A grammar, ready to parse."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._dropped = frozenset(tables.dropped)
        self._blank = re.compile(tables.blank).match
        self._reductions = [(rule.size, rule.origin, _shaping(rule)) for rule in tables.rules]
        self._any = self._pattern(_anywhere(tables))
        self._scans: dict[int, Scan] = {}
        self._visits = [0] * len(tables.states)

    def parse(self, text: str, start: int, end: int) -> Tree | None:
        """The tree of `text[start:end]`, its offsets those of the whole text; None where that does not parse."""
        blank, dropped, own, reductions = self._blank, self._dropped, self._scans, self._reductions
        table = self._tables.states
        states, values, starts, ends = [self._tables.first], list[Any](), list[int](), list[int]()
        position = start
        while True:
            if skipped := blank(text, position, end):
                position = skipped.end()
            state = states[-1]
            scan = own.get(state)
            found = scan(text, position, end) if scan else self._scan(state, text, position, end)
            name: Any = found.lastgroup if found else "$END"
            action = table[state].get(name)
            while action is not None and action < 0:
                size, origin, shape = reductions[-1 - action]
                if shape is None:
                    states[-1] = state = table[states[-2]][origin]
                elif size == 1:
                    states[-1] = state = table[states[-2]][origin]
                    values[-1] = shape([values[-1]], starts[-1], ends[-1])
                else:
                    cut = len(values) - size
                    if size and starts[cut] >= 0 and ends[-1] >= 0:
                        first, last = starts[cut], ends[-1]
                    else:
                        first, last = _extent(starts, ends, cut)
                    value = shape(values[cut:], first, last)
                    del states[cut + 1 :], values[cut:], starts[cut:], ends[cut:]
                    state = table[states[-1]][origin]
                    states.append(state)
                    values.append(value)
                    starts.append(first)
                    ends.append(last)
                action = table[state].get(name)
            if found is None or action is None:
                return values[0] if position >= end and states[-1] == self._tables.last else None
            states.append(action)
            starts.append(position)
            values.append(None if name in dropped else _token(found, name, position))
            position = found.end()
            ends.append(position)

    def _scan(self, state: int, text: str, position: int, end: int) -> re.Match[str] | None:
        """The next terminal that a state can take, until the state has a pattern of its own."""
        self._visits[state] += 1
        if self._visits[state] <= _OWN_PATTERN_AFTER:
            found = self._any(text, position, end)
            if found is None or found.lastgroup in self._tables.states[state]:
                return found
        can_come = self._tables.states[state]
        scan = self._scans[state] = self._pattern(name for name in self._tables.terminals if name in can_come)
        return scan(text, position, end)

    def _pattern(self, names: Iterable[str]) -> Scan:
        patterns = self._tables.terminals
        either = "|".join(f"(?P<{name}>{patterns[name]})" for name in names)
        return re.compile(either or "(?!)").match


def _anywhere(tables: Tables) -> list[str]:
    """All terminals, so that the first that matches is the first that matches in each state that can take it: in the
    lexer's order, but for those that come where nothing else does, which would hide others and so stand last."""
    can_come = [[name for name in tables.terminals if name in actions] for actions in tables.states]
    accompanied = {name for names in can_come if len(names) > 1 for name in names}
    return sorted(tables.terminals, key=lambda name: name not in accompanied)


def _shaping(rule: Rule) -> Shape | None:
    """How the rule's node comes of what its symbols hold; None where what its one symbol holds stands for it. Half of
    all reductions are such: they lead an expression past the operators that it does not have."""
    if any(spread for _, spread, _ in rule.children):
        return partial(_shape, rule)
    places: list[int | None] = []
    for index, _, missing in rule.children:
        places += [*[None] * missing, index]
    places += [None] * rule.missing
    if rule.inline and len(places) == 1:
        return None if rule.size == 1 else partial(_shape, rule)
    if places == list(range(rule.size)):
        return partial(Tree, rule.data)
    return lambda values, start, end: Tree(
        rule.data, [None if place is None else values[place] for place in places], start, end
    )


def _shape(rule: Rule, values: list[Any], start: int, end: int) -> Any:
    """The node that a rule makes of what its symbols hold."""
    children: list[Any] = []
    for index, spread, missing in rule.children:
        if missing:
            children += [None] * missing
        if not spread:
            children.append(values[index])
        elif children:
            children += values[index].children
        else:  # nobody else has it: a long list that grows by one each time is not copied as often
            children = values[index].children
    if rule.missing:
        children += [None] * rule.missing
    if rule.inline and len(children) == 1:
        return children[0]
    return Tree(rule.data, children, start, end)


def _token(found: re.Match[str], name: str, start: int) -> Token:
    token = Token(found[0])
    token.type, token.start, token.end = name, start, found.end()
    return token


def _extent(starts: list[int], ends: list[int], cut: int) -> tuple[int, int]:
    """From where to where the values behind `cut` stand, -1 where they have no text."""
    return next((one for one in starts[cut:] if one >= 0), -1), next(
        (one for one in reversed(ends[cut:]) if one >= 0), -1
    )
