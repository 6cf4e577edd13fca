"""How each rule of the grammar is laid out. One that is not named here is its tokens in a row.

Nothing is written but the tokens that were read, in their order; only the comma behind a list's last element comes and
goes with the list's shape. A line break of the author's stays where it is between the things in a block, and in a list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from jetpackc.records import replace
from jetpackc.syntax.format import doc
from jetpackc.syntax.format.doc import Break, Doc, Group, Mark, sequence, text
from jetpackc.syntax.format.tokens import Gap, Token, Tokens
from jetpackc.syntax.format.tree import Node, first

_INDENT = 2
_CONTINUED = 4
"""Behind a line that ends inside of something other than a block or list."""

_BLOCKS = {
    "machine_body": Break("    "),
    "state_body": Break("    "),
    "block": Break("  "),
    "test_body": Break("  "),
}
"""Rules that are things in braces, and what stands between such things on one line."""

_LISTS = frozenset({"fields", "arguments", "unique", "unique_states", "in_options", "array", "enum"})
"""Rules with a list in brackets, which may end in a comma."""

_ALIGNED = {"on": "on", "after": "on", "at": "on", "enter": "enter", "exit": "enter", "body": "arm", "removed": "on"}
"""Rules whose arrow or block is aligned with those of adjacent lines, and with which."""

_CLOSING = {"(": ")", "[": "]", "{": "}"}
_LEVELS = {
    "or": 0,
    "and": 1,
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">="), 2),
    "++": 3,
    "??": 4,
    **dict.fromkeys("+-", 5),
    **dict.fromkeys("*/%", 6),
}
"""How tightly operators bind, to tell a row of one level: those of grammar/jet.lark."""

_NOTHING = text("")
_SPACE = text(" ")
_LINE = Break()


class Layout:
    """Lays out the nodes of one text."""

    def __init__(self, scanned: Tokens) -> None:
        self.gaps = scanned.gaps
        self.rules: dict[str, Callable[[Node], Doc]] = {"binary": self._binary, "when": self._when}

    def node(self, node: Node) -> Doc:
        """A node, without what stands before its first token and behind its last."""
        if node.rule in _BLOCKS:
            return self._block(node, "state" if node.rule == "state_body" else "")
        return self.rules.get(node.rule, self._row)(node)

    def _child(self, child: Node | Token) -> Doc:
        return self.node(child) if isinstance(child, Node) else text(child.text)

    # ------------------------------------------------------------ gaps

    def gap(self, child: Node | Token) -> Gap:
        """What stands before a child."""
        return self.gaps[first(child).number]

    def comments(self, gap: Gap, *, leading: bool = True) -> list[Doc]:
        """A gap's comments, each own one on a new line; `leading` keeps the blank line above the first."""
        found = self.trailing(gap)
        for index, (blank, written) in enumerate(gap.own):
            found += [Break(hard=True, blank=blank and (leading or index > 0)), doc.comment(written)]
        return found

    def trailing(self, gap: Gap) -> list[Doc]:
        """The comment behind the token before a gap."""
        if gap.trailing is None:
            return []
        return [doc.comment("  "), Mark("comment"), doc.comment(gap.trailing)]

    def _between(self, child: Node | Token, usual: Doc) -> Doc:
        """What stands before a child in a row: the usual, or comments and a new line."""
        gap = self.gap(child)
        if not gap.commented:
            return usual
        return sequence((*self.comments(gap), Break(hard=True, blank=gap.blank)), _CONTINUED)

    # ------------------------------------------------------------ rows

    def _row(self, node: Node) -> Doc:
        """Children one after the other, with their lists."""
        parts: list[Doc] = []
        children = _flattened(node)
        start = 0
        while start < len(children):
            child = children[start]
            taken = self._bracketed(children[start:])
            if start:
                parts.append(self._between(child, self._apart(node, children[start - 1], child)))
            parts += self._marked(node, child, parts) if len(taken) == 1 else [self._list(node, taken)]
            start += len(taken)
        return sequence(parts)

    def _bracketed(self, children: Sequence[Node | Token]) -> Sequence[Node | Token]:
        """The first child, and all up to its closing bracket where it opens one."""
        head = children[0]
        if not isinstance(head, Token) or head.text not in _CLOSING:
            return children[:1]
        closing = _CLOSING[head.text]
        end = next(at for at, one in enumerate(children) if isinstance(one, Token) and one.text == closing)
        return children[: end + 1]

    def _marked(self, node: Node, child: Node | Token, before: Sequence[Doc]) -> list[Doc]:
        """A child, with the mark that aligns it."""
        if isinstance(child, Token) or node.rule not in _ALIGNED:
            return [self._child(child)]
        arrow = Mark(_ALIGNED[node.rule])
        if child.rule in ("goto", "reenter"):
            return [arrow, self._child(child)]
        if child.rule == "block":
            return [self._block(child, "effects" if arrow in before else arrow.kind)]
        return [self._child(child)]

    def _apart(self, node: Node, left: Node | Token, right: Node | Token) -> Doc:
        """What stands between two children without a comment."""
        before = left if isinstance(left, Token) else _last(left)
        after = first(right)
        if before.text == "," and node.rule not in _LISTS:
            return sequence((Group(_LINE),), _CONTINUED)
        rule = right.rule if isinstance(right, Node) else node.rule
        return _NOTHING if _tight(before.text, after.text, node.rule, rule) else _SPACE

    # ------------------------------------------------------------ lists

    def _list(self, node: Node, taken: Sequence[Node | Token]) -> Doc:
        """A list in brackets: on one line, or each element on one of its own with a comma behind it."""
        opening, *inside, closing = taken
        if not inside and not self.gap(closing).commented:
            return text(first(opening).text + first(closing).text)
        padding = Break("" if first(opening).text != "{" else " ")
        comma = inside.pop() if inside and _is_comma(inside[-1]) else None
        parts: list[Doc] = []
        for previous, child in pairwise((opening, *inside)):
            if _is_comma(child):
                parts += self._comma(child, text(","))
            elif previous is opening or _is_comma(previous):
                start = padding if previous is opening else Break(hard=self._moves(previous))
                parts += [*self._begun(child, start, leading=bool(parts)), self._child(child)]
            else:
                parts += [self._between(child, self._apart(node, previous, child)), self._child(child)]
        if inside and node.rule in _LISTS:
            last = doc.Text(",", 1, only="broken")
            parts += self._comma(comma, last) if comma else [last]
        parts += self.comments(self.gap(closing), leading=bool(parts))
        stays = self.gap(closing).commented or self._opened(taken) or (comma is not None and self._moves(comma))
        end = Break(padding.flat, hard=stays)
        return Group(sequence((self._child(opening), sequence(parts, _INDENT), end, self._child(closing))))

    def _comma(self, comma: Node | Token, written: Doc) -> list[Doc]:
        """A comma; a comment that stood between it and what it ends goes behind it."""
        if self._moves(comma):
            return [written, *self.trailing(self.gap(comma))]
        return [self._between(comma, _NOTHING), written]

    def _moves(self, comma: Node | Token) -> bool:
        """Whether there is such a comment, and room for it behind the comma."""
        before, behind = self.gap(comma), self.gaps[first(comma).number + 1]
        return before.trailing is not None and not before.own and behind.trailing is None

    def _opened(self, taken: Sequence[Node | Token]) -> bool:
        """Whether the author broke a list: behind its opening bracket, before the closing one, or behind a comma."""
        begins = (after for before, after in pairwise(taken) if before is taken[0] or _is_comma(before))
        return len(taken) > 2 and any(self.gap(child).newline for child in (*begins, taken[-1]))

    def _begun(self, child: Node | Token, usual: Break, *, leading: bool) -> list[Doc]:
        """Comments and the break before a thing that begins a line of its own when its group is broken.

        `leading` keeps a blank line where one was.
        """
        gap = self.gap(child)
        if not gap.commented:
            return [replace(usual, blank=usual.hard and leading and gap.blank)]
        blank = gap.blank and (leading or bool(gap.own))
        return [*self.comments(gap, leading=leading), Break(hard=True, blank=blank)]

    # ------------------------------------------------------------ blocks

    def _block(self, node: Node, mark: str) -> Doc:
        """Things in braces."""
        opening, *members, closing = node.children
        if not members and not self.gap(closing).commented:
            return text("{}")
        stacked = node.rule == "test_body"
        opened = stacked or any(self.gap(child).newline for child in node.children[1:])
        parts: list[Doc] = []
        for row in [[member] for member in members] if stacked else self._rows(members):
            parts += self._begun(row[0], Break(hard=opened), leading=bool(parts))
            parts.append(self._together(row, _BLOCKS[node.rule], opened))
        parts += self.comments(self.gap(closing), leading=bool(members))
        inside = sequence(parts, _INDENT)
        return Group(sequence((self._child(opening), inside, Break(hard=opened), self._child(closing))), mark)

    def _rows(self, members: Iterable[Node | Token]) -> list[list[Node | Token]]:
        """Members, those together that stand on one line."""
        rows: list[list[Node | Token]] = []
        for member in members:
            if not rows or self.gap(member).newline:
                rows.append([])
            rows[-1].append(member)
        return rows

    def _together(self, row: Sequence[Node | Token], apart: Break, opened: bool) -> Doc:
        """A line of a block, or all of a block that is one line; several things are on a line as one."""
        parts = [self._child(row[0])]
        for member in row[1:]:
            parts += [apart, self._child(member)]
        return Group(sequence(parts)) if opened and len(row) > 1 else sequence(parts)

    def _when(self, node: Node) -> Doc:
        """The arms below each other, or on one line as the author had them."""
        elses = [child for child in node.children if first(child).text == "else"]
        start = Break("  ", hard=any(self.gap(child).newline for child in elses), hug=True)
        parts = [self._child(node.children[0])]
        for child in node.children[1:]:
            parts += self._begun(child, start, leading=False) if child in elses else [self._between(child, _SPACE)]
            parts.append(self._child(child))
        return Group(sequence(parts))

    # ------------------------------------------------------------ expressions

    def _binary(self, node: Node) -> Doc:
        """A row of operators of one level, broken before all of them or none."""
        level = _level(node)
        operands: list[Doc] = []
        while True:
            left, operator, right = node.children
            piece = (
                *(self._between(operator, _LINE), text(first(operator).text)),
                *(self._between(right, _SPACE), self._child(right)),
            )
            operands.append(sequence(piece))
            if not isinstance(left, Node) or left.rule != "binary" or _level(left) != level:
                break
            node = left
        return Group(sequence((self._child(left), sequence(reversed(operands), _CONTINUED))))


def _flattened(node: Node) -> list[Node | Token]:
    """The children, those of a clause among them in its place."""
    found: list[Node | Token] = []
    for child in node.children:
        found += child.children if isinstance(child, Node) and child.rule == "clause" else (child,)
    return found


def _level(node: Node) -> int:
    return _LEVELS[first(node.children[1]).text]


def _last(node: Node) -> Token:
    child = node.children[-1]
    return _last(child) if isinstance(child, Node) else child


def _is_comma(child: Node | Token) -> bool:
    return isinstance(child, Token) and child.text == ","


def _tight(before: str, after: str, rule: str, right: str) -> bool:
    """Whether two tokens touch; `rule` is that around them, `right` the innermost that begins with the latter."""
    if after == ".":
        return not before.isdigit()  # it would be part of the number
    if rule in ("returns", "raises") and before == rule:
        return False
    if before in (".", "..") or after in (",", ":", "..", "?"):
        return True
    if before == "-" and rule == "negative":
        return True
    return (after == "(" and right in ("fields", "arguments")) or (after == "[" and right in ("index", "type"))
