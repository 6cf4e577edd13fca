"""From text to the AST. A block that does not parse is reported and left out, and the rest is parsed on."""

from __future__ import annotations

from itertools import pairwise

from jetpackc.diagnostics.model import Diagnostic
from jetpackc.diagnostics.rules import syntax as rules
from jetpackc.parallel import FEWEST, mapped
from jetpackc.source import Source
from jetpackc.syntax import ast
from jetpackc.syntax.brackets import too_deep, unclosed_bracket
from jetpackc.syntax.build import Builder
from jetpackc.syntax.driver import Tree
from jetpackc.syntax.grammar import driver
from jetpackc.syntax.nodes import BYTE_ORDER_MARK
from jetpackc.syntax.scan import block_starts, heads

Built = tuple[tuple[ast.Item, ...], tuple[Diagnostic, ...]]
"""The items of a part of a file, and what is odd about them."""

_HANDING = 0.35
"""How long it takes to pickle a part of the tree, in parts of the time that it takes to read it."""

MAX_LEVELS = 120
"""How deep the grammar's rules may nest, so that no walk over the tree runs out of stack: an operator in a row is one
level, a `when` is four."""


def parse(source: Source) -> tuple[ast.File, tuple[Diagnostic, ...]]:
    """The file, without the blocks that do not parse, and what is wrong with those."""
    made, problems = _in_parts(source), list[Diagnostic]()
    if made is None:
        parts, problems = trees(source)
        made = [_built(source, part) for part in parts]
    items = tuple(item for found, _ in made for item in found)
    problems += (problem for _, found in made for problem in found)
    return ast.File(source.path, items), tuple(sorted(problems, key=lambda each: each.span.start if each.span else 0))


def _in_parts(source: Source) -> list[Built] | None:
    """A long file that parses, on all cores: a part from each line that looks like the head of a block to the next.
    None where the file is short, or a part does not parse by itself.

    Parts that all parse are a file that parses, to the same blocks: the grammar makes a file a row of blocks, and no
    token goes over a line end."""
    starts = heads(source.text)
    if len(starts) < FEWEST or _unstorable(source) is not None:
        return None
    reader = _Reader(source)
    made = mapped(reader.built, list(pairwise((0, *starts[1:], len(source.text)))), _HANDING)
    whole = [part for part in made if part is not None]
    return whole if len(whole) == len(made) else None


def _built(source: Source, tree: Tree) -> Built:
    builder = Builder(source)
    return builder.items(tree), tuple(builder.diagnostics)


def parses(source: Source) -> bool:
    """Whether all of it is text of this language, whatever it means."""
    return not trees(source)[1]


def trees(source: Source) -> tuple[list[Tree], list[Diagnostic]]:
    """The concrete trees of what parses, and what is wrong with the rest."""
    refused = _unstorable(source) or too_deep(source, 0, len(source.text))
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

    def built(self, bounds: tuple[int, int]) -> Built | None:
        """What a part comes to; None where it does not parse."""
        if too_deep(self.source, *bounds) is not None:
            return None
        tree = driver().parse(self.text, *bounds)
        return None if tree is None or _deepest(tree) is not None else _built(self.source, tree)

    def parts(self) -> tuple[list[Tree], list[Diagnostic]]:
        """The parts that parse, in their order, and what is wrong with those between them.

        Nothing is read more than twice here, so that a file full of mistakes takes no longer than a few good ones.
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
