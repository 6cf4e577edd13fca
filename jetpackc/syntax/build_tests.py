"""The nodes of `test` blocks."""

from __future__ import annotations

from typing import Any, cast

from jetpackc.syntax import ast
from jetpackc.syntax.driver import Token, Tree
from jetpackc.syntax.nodes import Node, Nodes

_TIMES = {"once": 1, "twice": 2}


class TestBuilder(Nodes):
    """One method a rule that stands in a test."""

    def _test(self, tree: Tree) -> ast.Test:
        name, body = tree.children
        span = self._span(tree)
        return ast.Test(self._text(name), self._nodes(body.children), self._doc(span), span)

    def _create(self, tree: Tree) -> ast.Create:
        machine, arguments, alias = tree.children
        return ast.Create(
            self._node(machine),
            self._maybe(arguments) or (),
            self._name(alias.children[0]) if alias is not None else None,
            self._span(tree),
        )

    def _spawned(self, tree: Tree) -> ast.Spawned:
        machine, parent, alias = tree.children
        return ast.Spawned(
            self._node(machine),
            self._name(parent.children[0]) if parent is not None else None,
            self._name(alias.children[0]),
            self._span(tree),
        )

    def _post(self, tree: Tree) -> ast.Post:
        task, event, arguments = tree.children
        return ast.Post(self._name_or_none(task), self._name(event), self._maybe(arguments) or (), self._span(tree))

    def _advance(self, tree: Tree) -> ast.Advance:
        return ast.Advance(self._node(tree.children[0]), self._span(tree))

    def _expect(self, tree: Tree) -> ast.Expect:
        return ast.Expect(self._node(tree.children[0]), self._span(tree))

    def _expect_state(self, tree: Tree) -> ast.ExpectState:
        task, state = tree.children
        return ast.ExpectState(self._name_or_none(task), self._node(state), self._span(tree))

    def _expect_sent(self, tree: Tree) -> ast.ExpectSent:
        return ast.ExpectSent(cast("Any", str(tree.children[0])), self._span(tree))

    def _expect_error(self, tree: Tree) -> ast.ExpectError:
        return ast.ExpectError(self._text(tree.children[0]), self._span(tree))

    def _stub(self, tree: Tree) -> ast.Stub:
        work, ending, times = tree.children
        kind = str(ending) if isinstance(ending, Token) else ending.data.partition("_")[0]
        event, arguments, message = (None, (), None) if isinstance(ending, Token) else self._ending(ending)
        return ast.Stub(
            self._node(work),
            cast("Any", kind),
            event,
            arguments,
            message,
            times and self._times(times),
            self._span(tree),
        )

    def _work(self, tree: Tree) -> ast.Name:
        return ast.Name(".".join(child for child in tree.children if child is not None), self._span(tree))

    def _ending(self, tree: Tree) -> tuple[ast.Name | None, tuple[ast.Argument, ...], ast.Constant | None]:
        """The event that is named, its arguments, and a message in place of them."""
        if tree.data == "raises":
            (given,) = tree.children
            if isinstance(given, Token):
                return None, (), ast.Constant("string", self._text(given), self._span(given))
            return None, self._node(given), None
        event, *arguments = tree.children
        return self._name_or_none(event), self._node(arguments[0]) if arguments else (), None

    def _times(self, tree: Tree) -> int:
        word = str(tree.children[0])
        return _TIMES.get(word) or int(word)

    def _name_or_none(self, token: Node) -> ast.Name | None:
        return self._name(token) if token is not None else None
