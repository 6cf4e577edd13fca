"""From text to the AST. A block that does not parse is reported and left out, and the rest is parsed on."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from jetpackc.diagnostics.model import Diagnostic
from jetpackc.diagnostics.rules import syntax as rules
from jetpackc.source import Source
from jetpackc.syntax import ast
from jetpackc.syntax.brackets import innermost_open, too_deep
from jetpackc.syntax.build import BYTE_ORDER_MARK, Builder
from jetpackc.syntax.driver import Tree
from jetpackc.syntax.grammar import driver

MAX_LEVELS = 120
"""How deep the grammar's rules may nest, so that no walk over the tree runs out of stack: an operator in a row is one
level, a `when` is four."""

_TOP_LEVEL = re.compile(r"^(?:module|import|enum|event|operator|template|machine|schedule|allow)\b", re.MULTILINE)


def parse(source: Source) -> tuple[ast.File, tuple[Diagnostic, ...]]:
    """The file, without the blocks that do not parse, and what is wrong with those."""
    unstorable = _unstorable(source)
    if unstorable is not None:
        return ast.File(source.path, ()), (unstorable,)
    nested = too_deep(source)
    if nested is not None:
        return ast.File(source.path, ()), (nested,)
    parts, problems = _Reader(source).parts()
    builder = Builder(source)
    items = tuple(item for part in parts for item in builder.items(part))
    found = [*problems, *builder.diagnostics]
    return ast.File(source.path, items), tuple(sorted(found, key=lambda each: each.span.start if each.span else 0))


def _unstorable(source: Source) -> Diagnostic | None:
    """The character 0, which a text editor shows as nothing and no text in Postgres can hold."""
    offset = source.text.find("\0")
    if offset < 0:
        return None
    message, help = "a character with the code 0", "Postgres cannot store it: delete it"
    return Diagnostic(rules.BAD_CHARACTER, message, source.span(offset, offset + 1), "means nothing here", help=help)


@dataclass(frozen=True, slots=True)
class _Problem:
    """What is wrong, and the block to leave out so that the rest can be parsed."""

    diagnostic: Diagnostic
    start: int
    end: int


class _Reader:
    """Reads one source from block to block."""

    def __init__(self, source: Source) -> None:
        self.source = source
        text = source.text
        self.text = " " + text[1:] if text.startswith(BYTE_ORDER_MARK) else text
        self.starts: Sequence[int] = [found.start() for found in _TOP_LEVEL.finditer(self.text)]

    def parts(self) -> tuple[list[Tree], list[Diagnostic]]:
        """The parts that parse, in their order, and what is wrong with those between them.

        Each part is read twice at most, so that a file full of mistakes takes no longer than two good ones.
        """
        trees: list[Tree] = []
        diagnostics: list[Diagnostic] = []
        start = 0
        while True:
            result = self._read(start, len(self.text))
            if isinstance(result, Tree):
                return [*trees, result], diagnostics
            diagnostics.append(result.diagnostic)
            before = self._read(start, result.start)
            trees += [before] if isinstance(before, Tree) else []
            start = result.end

    def _read(self, start: int, end: int) -> Tree | _Problem:
        """The tree of a part, or what lark has to say of it. Places are those in the whole text."""
        tree = driver().parse(self.text, start, end)
        if tree is not None:
            deep = _deepest(tree)
            return tree if deep is None else self._nested(deep, start)
        return self._problem(start, end)

    def _problem(self, start: int, end: int) -> _Problem:
        from jetpackc.syntax import errors  # it imports lark, which most runs do without

        error = errors.refusal(" " * start + self.text[start:end])
        place = errors.place(error)
        offset = len(self.text.rstrip()) if place is None else place
        first, last = self._block(offset, start)
        unclosed = self._unclosed(first, offset)
        return _Problem(unclosed or errors.describe(error, self.source, offset), first, last)

    def _nested(self, node: Tree, start: int) -> _Problem:
        offset = max(start, node.start)
        message = "this nests too deeply"
        help = "split it: more than a hundred operators in a row, or some thirty `when` in each other, do not compile"
        span = self.source.span(offset, offset + 1)
        diagnostic = Diagnostic(rules.SYNTAX_ERROR, message, span, "too deep", help=help)
        return _Problem(diagnostic, *self._block(offset, start))

    def _block(self, offset: int, since: int) -> tuple[int, int]:
        """The top-level block around an offset; the one before it, where that was never closed."""
        at = bisect_right(self.starts, offset) - 1
        is_next = at > 0 and self.starts[at] == offset and self.starts[at - 1] >= since
        if is_next and innermost_open(self.text[self.starts[at - 1] : offset]) is not None:
            at -= 1
        start = max(self.starts[at] if at >= 0 else 0, since)
        following = bisect_left(self.starts, max(offset, start + 1))
        return start, self.starts[following] if following < len(self.starts) else len(self.text)

    def _unclosed(self, start: int, offset: int) -> Diagnostic | None:
        """An error at the start of the next block or at the end of the text, with a bracket still open."""
        at_end = not self.text[offset:].strip()
        at_next = offset in self.starts[bisect_left(self.starts, offset) :][:1] and offset != start
        found = innermost_open(self.text[start:offset]) if at_end or at_next else None
        if found is None:
            return None
        bracket, closing, place = found
        span = self.source.span(start + place, start + place + 1)
        message = f"this `{bracket}` is never closed"
        return Diagnostic(rules.UNCLOSED_BRACKET, message, span, f"no `{closing}` for it", help=f"add `{closing}`")


def _deepest(tree: Tree) -> Tree | None:
    """A node that lies deeper than any may; found without recursion, which is what it protects."""
    level = [tree]
    for _ in range(MAX_LEVELS + 1):
        level = [child for node in level for child in node.children if type(child) is Tree]
    return level[0] if level else None
