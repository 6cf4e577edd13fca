"""What builds nodes from trees, whatever they are: names, texts, places, docs."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from jetpackc.diagnostics.model import Diagnostic
from jetpackc.diagnostics.rules import syntax as rules
from jetpackc.source import Source, Span
from jetpackc.syntax import ast
from jetpackc.syntax.driver import Token, Tree
from jetpackc.syntax.literals import BadEscapeError, unescape

_BETWEEN = re.compile(r'(?P<string>"(?:\\.|[^"\\\n])*")|(?:\s|//[^\n]*)+')

Node = Any  # a Tree, a Token or None: what a tree has for a child

BYTE_ORDER_MARK = "\ufeff"
"""How some editors say at the start of a file that it is UTF-8."""


class Nodes:
    """Builds by the method that is named after a rule; `diagnostics` fills up meanwhile."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.diagnostics: list[Diagnostic] = []
        self._methods: dict[str, Callable[[Tree], Any]] = {}

    def _node(self, tree: Node) -> Any:
        method = self._methods.get(tree.data)
        if method is None:
            method = self._methods[tree.data] = getattr(self, f"_{tree.data}")
        return method(tree)

    def _nodes(self, trees: list[Node]) -> tuple[Any, ...]:
        return tuple(self._node(tree) for tree in trees if tree is not None)

    def _maybe(self, tree: Node) -> Any:
        return None if tree is None else self._node(tree)

    def _span(self, node: Node) -> Span:
        return self.source.span(node.start, node.end) if node.start >= 0 else self.source.span(0, 0)

    def _name(self, token: Node) -> ast.Name:
        return ast.Name(str(token), self._span(token))

    def _text(self, token: Token) -> str:
        try:
            return unescape(str(token)[1:-1])
        except BadEscapeError as error:
            start = token.start + 1 + error.offset
            span = self.source.span(start, start + error.length)
            message = f"`{self.source.text[span.start : span.end]}` is {error}"
            help = 'write `\\\\` for a backslash; there are `\\n`, `\\t`, `\\"`, `\\\\` and `\\u{1F600}`'
            self.diagnostics.append(Diagnostic(rules.BAD_ESCAPE, message, span, "means nothing", help=help))
            return ""

    def _one_line(self, span: Span) -> str:
        """The text of a place without comments and line ends."""
        return _BETWEEN.sub(lambda found: found["string"] or " ", self.source.text[span.start : span.end])

    def _doc(self, span: Span) -> str:
        """The `///` lines right above what is the first on its line."""
        found: list[str] = []
        if self.source.line(span.line)[: span.column - 1].removeprefix(BYTE_ORDER_MARK).strip():
            return ""
        for number in range(span.line - 1, 0, -1):
            line = self.source.line(number).removeprefix(BYTE_ORDER_MARK).strip()
            if not line.startswith("///") or line.startswith("////"):
                break
            found.append(line[3:].removeprefix(" "))
        return "\n".join(reversed(found)).strip()
