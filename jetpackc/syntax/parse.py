"""From text to the AST. A block that does not parse is reported and left out, and the rest is parsed on."""

from __future__ import annotations

from itertools import pairwise

from jetpackc.diagnostics.model import Diagnostic
from jetpackc.diagnostics.rules import syntax as rules
from jetpackc.source import Source
from jetpackc.syntax import ast
from jetpackc.syntax.brackets import too_deep, unclosed_bracket
from jetpackc.syntax.build import Builder
from jetpackc.syntax.driver import Tree
from jetpackc.syntax.grammar import driver
from jetpackc.syntax.nodes import BYTE_ORDER_MARK
from jetpackc.syntax.scan import block_starts

MAX_LEVELS = 120
"""How deep the grammar's rules may nest, so that no walk over the tree runs out of stack: an operator in a row is one
level, a `when` is four."""


def parse(source: Source) -> tuple[ast.File, tuple[Diagnostic, ...]]:
    """The file, without the blocks that do not parse, and what is wrong with those."""
    parts, problems = trees(source)
    builder = Builder(source)
    items = tuple(item for part in parts for item in builder.items(part))
    found = [*problems, *builder.diagnostics]
    return ast.File(source.path, items), tuple(sorted(found, key=lambda each: each.span.start if each.span else 0))


def parses(source: Source) -> bool:
    """Whether all of it is text of this language, whatever it means."""
    return not trees(source)[1]


def trees(source: Source) -> tuple[list[Tree], list[Diagnostic]]:
    """The concrete trees of what parses, and what is wrong with the rest."""
    refused = _unstorable(source) or too_deep(source)
    return _Reader(source).parts() if refused is None else ([], [refused])


def _unstorable(source: Source) -> Diagnostic | None:
    """The character 0, which a text editor shows as nothing and no text in Postgres can hold."""
    offset = source.text.find("\0")
    if offset < 0:
        return None
    message, help = "a character with the code 0", "Postgres cannot store it: delete it"
    return Diagnostic(rules.BAD_CHARACTER, message, source.span(offset, offset + 1), "means nothing here", help=help)


class _Reader:
    """Reads one source: whole, and block by block where it does not parse."""

    def __init__(self, source: Source) -> None:
        self.source = source
        text = source.text
        self.text = " " + text[1:] if text.startswith(BYTE_ORDER_MARK) else text

    def parts(self) -> tuple[list[Tree], list[Diagnostic]]:
        """The parts that parse, in their order, and what is wrong with those between them.

        Nothing is read more than twice, so that a file full of mistakes takes no longer than two good ones.
        """
        whole = self._read(0, len(self.text))
        if isinstance(whole, Tree):
            return [whole], []
        bounds = sorted({0, *block_starts(self.text), len(self.text)})
        read = [self._read(start, end) for start, end in pairwise(bounds)]
        diagnostics = [part for part in read if isinstance(part, Diagnostic)]
        return [part for part in read if isinstance(part, Tree)], diagnostics or [whole]

    def _read(self, start: int, end: int) -> Tree | Diagnostic:
        """The tree of a part, or what is wrong with it."""
        tree = driver().parse(self.text, start, end)
        if tree is None:
            return self._problem(start, end)
        deep = _deepest(tree)
        return tree if deep is None else self._nested(deep, start)

    def _problem(self, start: int, end: int) -> Diagnostic:
        from jetpackc.syntax import errors  # it imports lark, which most runs do without

        error = errors.refusal(self.text, start, end)
        offset = errors.place(error)
        if offset is not None:
            return errors.describe(error, self.source, offset)
        return unclosed_bracket(self.source, start, end) or errors.incomplete(error, self.source, start, end)

    def _nested(self, node: Tree, start: int) -> Diagnostic:
        offset = max(start, node.start)
        message = "this nests too deeply"
        help = "split it: more than a hundred operators in a row, or some thirty `when` in each other, do not compile"
        span = self.source.span(offset, offset + 1)
        return Diagnostic(rules.SYNTAX_ERROR, message, span, "too deep", help=help)


def _deepest(tree: Tree) -> Tree | None:
    """A node that lies deeper than any may; found without recursion, which is what it protects."""
    level = [tree]
    for _ in range(MAX_LEVELS + 1):
        level = [child for node in level for child in node.children if type(child) is Tree]
    return level[0] if level else None
