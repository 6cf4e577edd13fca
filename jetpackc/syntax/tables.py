"""What parsing needs of lark, as plain data: numbers and texts that load in a moment, where lark itself takes longer to
import and to load than most files take to check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from lark import Lark


VERSION = 1
"""Goes up when the shape of the tables changes."""


class Rule(NamedTuple):
    """A production: how many symbols it takes, which one it makes, and how its node comes of what they hold."""

    size: int
    origin: str
    data: str
    children: list[tuple[int, bool, int]]
    """Of each symbol that has a part in the node: its index, whether its own children stand in its place, and how many
    optional parts are missing before it."""
    missing: int
    """How many optional parts are missing behind the last one."""
    inline: bool
    """Whether a node with one child is that child."""


class Tables(NamedTuple):
    """An LALR(1) grammar. `states`: from each, by symbol, the state to go to, or `-1 - r` to reduce by rule r.
    `terminals`: patterns by name, in the order in which the lexer tries them. `blank` may stand between any two."""

    first: int
    last: int
    rules: list[Rule]
    states: list[dict[str, int]]
    terminals: dict[str, str]
    blank: str
    dropped: list[str]
    """Terminals that no node has among its children."""


def of_lark(lark: Lark) -> Tables:
    """The tables of a grammar that lark has read."""
    frontend: Any = lark.parser
    table = frontend.parser.parser.parse_table
    ignored = lark.lexer_conf.ignore
    numbers = {rule: number for number, rule in enumerate(lark.rules)}
    lexer = frontend.lexer.root_lexer
    terminals = {one.name: one.pattern.to_regexp() for one in lexer.terminals}
    symbols = [symbol for rule in lark.rules for symbol in rule.expansion]
    return Tables(
        first=table.start_states["start"],
        last=table.end_states["start"],
        rules=[_rule(rule) for rule in lark.rules],
        states=[_actions(table.states[state], numbers) for state in range(len(table.states))],
        terminals={name: pattern for name, pattern in terminals.items() if name not in ignored},
        blank=f"(?:{'|'.join(terminals[name] for name in ignored)})+",
        dropped=sorted({symbol.name for symbol in symbols if _is_dropped(symbol)}),
    )


def from_json(data: Any) -> Tables:
    """The tables again, of what `json.loads` made of them. Raises TypeError or ValueError where they are no such."""
    first, last, rules, *rest = data
    return Tables(first, last, [Rule(*rule) for rule in rules], *rest)


def _actions(actions: dict[str, Any], numbers: dict[Any, int]) -> dict[str, int]:
    found = {}
    for symbol, (action, target) in actions.items():
        found[symbol] = target if str(action) == "Shift" else -1 - numbers[target]
    return found


def _rule(rule: Any) -> Rule:
    """lark's way to shape a tree: `[x]` leaves None where x is missing, `_x` puts its children in its place, `?x`
    stands for its only child, and what begins with an underscore or has no name is left out."""
    gaps = [0]
    for is_gap in rule.options.empty_indices or [False] * len(rule.expansion):
        if is_gap:
            gaps[-1] += 1
        else:
            gaps.append(0)
    children: list[tuple[int, bool, int]] = []
    missing = 0
    for index, symbol in enumerate(rule.expansion):
        missing += gaps[index]
        if not _is_dropped(symbol):
            children.append((index, not symbol.is_term and symbol.name.startswith("_"), missing))
            missing = 0
    data = rule.alias or rule.options.template_source or rule.origin.name
    missing += gaps[len(rule.expansion)]
    return Rule(
        len(rule.expansion), rule.origin.name, str(data), children, missing, rule.options.expand1 and not rule.alias
    )


def _is_dropped(symbol: Any) -> bool:
    return bool(symbol.is_term and symbol.filter_out)
