"""The concrete syntax tree: the parser's, with the tokens that it drops put back."""

from __future__ import annotations

from collections.abc import Iterator

from jetpackc.records import dataclass
from jetpackc.syntax.driver import Tree
from jetpackc.syntax.format.tokens import Token, Tokens


@dataclass(frozen=True, slots=True)
class Node:
    """What a rule of the grammar matched: every token of it stands in it or in a node of it, in order."""

    rule: str
    children: tuple[Node | Token, ...]

    @property
    def first(self) -> Token:
        """The first token."""
        return first(self.children[0])


def first(child: Node | Token) -> Token:
    """The first token of a child."""
    return child.first if isinstance(child, Node) else child


class Completer:
    """Puts the tokens of one text back into the trees of its parser."""

    def __init__(self, scanned: Tokens) -> None:
        self.tokens = scanned.tokens
        self.starts = {token.start: token.number for token in self.tokens}
        self.ends = {token.end: token.number + 1 for token in self.tokens}

    def items(self, tree: Tree) -> tuple[Node, ...]:
        """The items of a file."""
        return tuple(self._node(item, *self._range(item)) for item in _parts(tree))

    def _range(self, tree: Tree) -> tuple[int, int]:
        return self.starts[tree.start], self.ends[tree.end]

    def _node(self, tree: Tree, start: int, end: int) -> Node:
        children: list[Node | Token] = []
        for part in _parts(tree):
            since, until = self._range(part)
            children += self.tokens[start:since]
            children.append(self._node(part, since, until))
            start = until
        return Node(tree.data, (*children, *self.tokens[start:end]))


def _parts(tree: Tree) -> Iterator[Tree]:
    """The rules inside of a rule that matched anything."""
    return (child for child in tree.children if isinstance(child, Tree) and child.start >= 0)
