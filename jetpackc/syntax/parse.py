"""From text to the AST. A block that does not parse is reported, blanked, and the rest is parsed on."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lark import Token, Tree, UnexpectedInput

from jetpackc.diagnostics.model import Diagnostic
from jetpackc.diagnostics.rules import syntax as rules
from jetpackc.source import Source
from jetpackc.syntax import ast
from jetpackc.syntax.build import Builder
from jetpackc.syntax.errors import describe
from jetpackc.syntax.grammar import parser

MAX_DEPTH = 100
"""How deep brackets may nest: far beyond what anybody writes, and far from what a recursive walk can take."""

MAX_LEVELS = 120
"""How deep the grammar's rules may nest, so that no walk over the tree runs out of stack: an operator in a row is one
level, a `when` is four."""

_TOP_LEVEL = re.compile(r"^(?:module|import|enum|event|operator|template|machine|schedule|allow)\b", re.MULTILINE)
_PASSED_OVER = re.compile(r'"(?:\\.|[^"\\\n])*"|//[^\n]*')
_BRACKETS = {"(": ")", "[": "]", "{": "}"}


def parse(source: Source) -> tuple[ast.File, tuple[Diagnostic, ...]]:
    """The file, without the blocks that do not parse, and what is wrong with those."""
    diagnostics: list[Diagnostic] = []
    text = source.text
    for _ in range(len(_TOP_LEVEL.findall(text)) + 2):
        too_deep = _too_deep(source, text)
        if too_deep is not None:
            return ast.File(source.path, ()), (too_deep,)
        tree, problem = _attempt(source, text)
        if tree is not None:
            builder = Builder(source)
            file = builder.file(tree)
            return file, (*sorted(diagnostics, key=_position), *builder.diagnostics)
        assert problem is not None
        diagnostics.append(problem.diagnostic)
        if not text[problem.start : problem.end].strip():
            break
        text = _blank(text, problem.start, problem.end)
    return ast.File(source.path, ()), tuple(sorted(diagnostics, key=_position))


def _position(diagnostic: Diagnostic) -> int:
    return diagnostic.span.start if diagnostic.span else 0


@dataclass(frozen=True, slots=True)
class _Problem:
    """What is wrong, and the block to leave out so that the rest can be parsed."""

    diagnostic: Diagnostic
    start: int
    end: int


def _attempt(source: Source, text: str) -> tuple[Tree[Token] | None, _Problem | None]:
    try:
        tree = parser().parse(text)
        deep = _deepest(tree)
        return (None, _nested(source, text, deep)) if deep is not None else (tree, None)
    except UnexpectedInput as error:
        offset = error.pos_in_stream if error.pos_in_stream is not None else len(text.rstrip())
        if isinstance(getattr(error, "token", None), Token) and error.token.type == "$END":  # type: ignore[attr-defined]
            offset = len(text.rstrip())
        start, end = _block(text, offset)
        unclosed = _unclosed(source, text, start, offset)
        return None, _Problem(unclosed or describe(error, source, offset), start, end)


def _deepest(tree: Tree[Token]) -> Tree[Token] | None:
    """A node that lies deeper than any may; found without recursion, which is what it protects."""
    pending = [(tree, 0)]
    while pending:
        node, depth = pending.pop()
        if depth > MAX_LEVELS:
            return node
        pending += [(child, depth + 1) for child in node.children if isinstance(child, Tree)]
    return None


def _nested(source: Source, text: str, node: Tree[Token]) -> _Problem:
    offset = 0 if node.meta.empty else node.meta.start_pos
    message = "this nests too deeply"
    help = "split it: more than a hundred operators in a row, or some thirty `when` in each other, do not compile"
    diagnostic = Diagnostic(rules.SYNTAX_ERROR, message, source.span(offset, offset + 1), "too deep", help=help)
    return _Problem(diagnostic, *_block(text, offset))


def _block(text: str, offset: int) -> tuple[int, int]:
    """The top-level block around an offset; the one before it, where that was never closed."""
    starts = [found.start() for found in _TOP_LEVEL.finditer(text)]
    before = [start for start in starts if start <= offset]
    if len(before) > 1 and before[-1] == offset and _open_brackets(text[before[-2] : offset]):
        before.pop()
    start = before[-1] if before else 0
    end = next((other for other in starts if other > start and other >= offset), len(text))
    return start, end


def _open_brackets(text: str) -> list[tuple[str, int]]:
    """The brackets that nothing closes, outermost first."""
    stack: list[tuple[str, int]] = []
    for offset, char in _plain_characters(text):
        if char in _BRACKETS:
            stack.append((char, offset))
        elif stack and char == _BRACKETS[stack[-1][0]]:
            stack.pop()
    return stack


def _plain_characters(text: str) -> list[tuple[int, str]]:
    """Brackets outside strings and comments, with their places."""
    hidden = _PASSED_OVER.sub(lambda found: " " * len(found[0]), text)
    return [(found.start(), found[0]) for found in re.finditer(r"[()\[\]{}]", hidden)]


def _unclosed(source: Source, text: str, start: int, offset: int) -> Diagnostic | None:
    """An error at the start of the next block or at the end of the text, with a bracket still open."""
    at_end = not text[offset:].strip()
    at_next = bool(_TOP_LEVEL.match(text, offset)) and offset != start
    if not (at_end or at_next):
        return None
    stack = _open_brackets(text[start:offset])
    if not stack:
        return None
    bracket, place = stack[-1]
    span = source.span(start + place, start + place + 1)
    message, closing = f"this `{bracket}` is never closed", _BRACKETS[bracket]
    return Diagnostic(rules.UNCLOSED_BRACKET, message, span, f"no `{closing}` for it", help=f"add `{closing}`")


def _too_deep(source: Source, text: str) -> Diagnostic | None:
    depth = 0
    for offset, char in _plain_characters(text):
        depth += 1 if char in _BRACKETS else -1
        if depth > MAX_DEPTH:
            message = f"brackets nest deeper than {MAX_DEPTH} levels"
            return Diagnostic(rules.SYNTAX_ERROR, message, source.span(offset, offset + 1), "too deep")
    return None


def _blank(text: str, start: int, end: int) -> str:
    """The same text with one block turned to spaces, so that all places stay."""
    return text[:start] + re.sub(r"[^\n]", " ", text[start:end]) + text[end:]
