"""From the concrete tree to the AST: one method a rule. What is odd but parses is reported on the way."""

from __future__ import annotations

from typing import Any, cast

from jetpackc.diagnostics.model import Diagnostic
from jetpackc.diagnostics.rules import syntax as rules
from jetpackc.syntax import ast
from jetpackc.syntax.build_tests import TestBuilder
from jetpackc.syntax.driver import Token, Tree
from jetpackc.syntax.literals import milliseconds
from jetpackc.syntax.nodes import Node

MAX_DIGITS = 1000
"""How long a number may be: what `numeric` can store ends at no round figure, and nobody writes this much by hand."""


class Builder(TestBuilder):
    """Builds the nodes of one source; `diagnostics` fills up meanwhile."""

    def items(self, tree: Tree) -> tuple[ast.Item, ...]:
        """The items of a file or of a part of it."""
        return self._nodes(tree.children)

    # ------------------------------------------------------------ items

    def _module(self, tree: Node) -> ast.Module:
        span = self._span(tree)
        return ast.Module(self._name(tree.children[0]), self._doc(span), span)

    def _import_(self, tree: Node) -> ast.Import:
        return ast.Import(self._text(tree.children[0]), self._span(tree))

    def _enum(self, tree: Node) -> ast.Enum:
        name, *values = (child for child in tree.children if child is not None)
        span = self._span(tree)
        return ast.Enum(self._name(name), tuple(self._name(value) for value in values), self._doc(span), span)

    def _event(self, tree: Node) -> ast.Event:
        name, fields = tree.children
        span = self._span(tree)
        return ast.Event(self._name(name), self._maybe(fields) or (), self._doc(span), span)

    def _operator(self, tree: Node) -> ast.Operator:
        name, fields, block = tree.children
        span = self._span(tree)
        return ast.Operator(self._name(name), self._node(fields), self._node(block), self._doc(span), span)

    def _template(self, tree: Node) -> ast.Template:
        name, fields, body = tree.children
        span = self._span(tree)
        return ast.Template(self._name(name), self._maybe(fields) or (), self._node(body), self._doc(span), span)

    def _machine(self, tree: Node) -> ast.Machine:
        name, fields, was, base, body = tree.children
        template, arguments = self._maybe(base) or (None, ())
        span = self._span(tree)
        return ast.Machine(
            self._name(name),
            self._maybe(fields) or (),
            self._maybe(was),
            template,
            arguments,
            self._maybe(body) or (),
            self._doc(span),
            span,
        )

    def _base(self, tree: Node) -> tuple[ast.Name, tuple[ast.Argument, ...]]:
        name, arguments = tree.children
        return self._node(name), self._maybe(arguments) or ()

    def _machine_body(self, tree: Node) -> tuple[ast.MachineMember, ...]:
        return self._nodes(tree.children)

    _state_body = _block = _machine_body

    def _schedule(self, tree: Node) -> ast.Schedule:
        name, *moments, missed, spawn = tree.children
        cron, zone = moments if len(moments) > 1 else (None, None)
        span = self._span(tree)
        return ast.Schedule(
            self._name(name),
            self._maybe_text(cron),
            self._maybe_text(zone),
            self._node(moments[0]) if cron is None else None,
            self._name(missed) if missed is not None else None,
            self._node(spawn),
            self._doc(span),
            span,
        )

    def _maybe_text(self, token: Token | None) -> ast.Constant | None:
        return None if token is None else ast.Constant("string", self._text(token), self._span(token))

    def _allow(self, tree: Node) -> ast.Allow:
        code, reason = tree.children
        return ast.Allow(self._name(code), self._text(reason), self._span(tree))

    def _was(self, tree: Node) -> ast.Name:
        return self._name(tree.children[0])

    def _fields(self, tree: Node) -> tuple[ast.Field, ...]:
        return self._nodes(tree.children)

    def _field(self, tree: Node) -> ast.Field:
        name, type_, default = tree.children
        span = self._span(tree)
        return ast.Field(self._name(name), self._node(type_), self._maybe(default), span, self._doc(span))

    def _type(self, tree: Node) -> ast.TypeName:
        name, array, optional = tree.children
        return ast.TypeName(self._node(name), array is not None, optional is not None, self._span(tree))

    # ------------------------------------------------------------ members

    def _var(self, tree: Node) -> ast.Var:
        name, type_, was, default = tree.children
        span = self._span(tree)
        return ast.Var(
            self._name(name), self._node(type_), self._maybe(was), self._maybe(default), self._doc(span), span
        )

    def _unique(self, tree: Node) -> ast.Unique:
        *columns, states, _, verdict = tree.children
        names = tuple(self._name(column) for column in columns if column is not None)
        return ast.Unique(names, self._maybe(states), "return" if verdict == "return" else "error", self._span(tree))

    def _unique_states(self, tree: Node) -> tuple[ast.Name, ...]:
        return self._nodes(tree.children)

    def _keep(self, tree: Node) -> ast.Keep:
        what, length = tree.children
        return ast.Keep(self._name(what), self._milliseconds(length), self._span(tree))

    def _priority(self, tree: Node) -> ast.Priority:
        return ast.Priority(self._node(tree.children[0]), self._span(tree))

    def _limit(self, tree: Node) -> ast.Limit:
        count, window, by = tree.children
        length = None if window is None else self._milliseconds(window)
        return ast.Limit(int(self._digits(count)), length, None if by is None else self._name(by), self._span(tree))

    def _fair(self, tree: Node) -> ast.Fair:
        return ast.Fair(self._name(tree.children[0]), self._span(tree))

    def _removed(self, tree: Node) -> ast.Removed:
        name, body = tree.children
        statements = self._node(body)
        return ast.Removed(
            self._node(name), statements if isinstance(statements, tuple) else (statements,), self._span(tree)
        )

    def _state(self, tree: Node) -> ast.State:
        *heads, was, body = tree.children
        kinds = tuple(str(head) for head in heads if isinstance(head, str))
        names = self._nodes([head for head in heads if isinstance(head, Tree)])
        span = self._span(tree)
        return ast.State(cast("Any", kinds), names, self._maybe(was), self._maybe(body) or (), self._doc(span), span)

    def _step(self, tree: Node) -> ast.Step:
        initial, name, arguments, was, body = tree.children
        span = self._span(tree)
        return ast.Step(
            initial is not None,
            self._name(name),
            self._maybe(arguments) or (),
            self._maybe(was),
            self._maybe(body) or (),
            self._doc(span),
            span,
        )

    def _state_name(self, tree: Node) -> ast.Name:
        return ast.Name(".".join(child for child in tree.children if child is not None), self._span(tree))

    _reference = _state_name

    def _enter(self, tree: Node) -> ast.Enter:
        return ast.Enter(self._node(tree.children[0]), self._span(tree))

    def _exit(self, tree: Node) -> ast.Exit:
        return ast.Exit(self._node(tree.children[0]), self._span(tree))

    def _on(self, tree: Node) -> ast.On:
        events, fields, clause = tree.children
        return ast.On(self._node(events), self._maybe(fields), self._node(clause), self._span(tree))

    def _events(self, tree: Node) -> tuple[ast.Name, ...]:
        return tuple(self._name(event) for event in tree.children)

    def _after(self, tree: Node) -> ast.Timer:
        value, clause = tree.children
        return ast.Timer(cast("Any", str(tree.data)), self._node(value), self._node(clause), self._span(tree))

    _at = _after

    def _run(self, tree: Node) -> ast.Run:
        return ast.Run(self._text(tree.children[0]), self._span(tree))

    def _timeout(self, tree: Node) -> ast.Timeout:
        return ast.Timeout(self._node(tree.children[0]), self._span(tree))

    def _ignore(self, tree: Node) -> ast.Ignore:
        return ast.Ignore(self._node(tree.children[0]), self._span(tree))

    def _defer(self, tree: Node) -> ast.Defer:
        return ast.Defer(self._node(tree.children[0]), self._span(tree))

    def _result(self, tree: Node) -> ast.Result:
        return ast.Result(self._node(tree.children[0]), self._span(tree))

    # ------------------------------------------------------------ clauses and statements

    def _clause(self, tree: Node) -> ast.Clause:
        guard, first, *rest = tree.children
        node = self._node(first)
        body: tuple[ast.Statement, ...] = self._maybe(rest[0]) or () if rest else ()
        target = node if isinstance(node, ast.Goto) else None
        if target is None:
            body = node if isinstance(node, tuple) else (node,)
        return ast.Clause(self._maybe(guard), target, body, self._span(tree))

    def _guard(self, tree: Node) -> ast.Expr:
        return cast("ast.Expr", self._node(tree.children[0]))

    _delay = _range = _group = _guard

    def _goto(self, tree: Node) -> ast.Goto:
        target, delay = tree.children
        return ast.Goto(self._node(target), self._maybe(delay), self._span(tree))

    def _reenter(self, tree: Node) -> ast.Goto:
        return ast.Goto(None, None, self._span(tree))

    def _set(self, tree: Node) -> ast.Set:
        name, value = tree.children
        return ast.Set(self._name(name), self._node(value), self._span(tree))

    def _increment(self, tree: Node) -> ast.Increment:
        return ast.Increment(self._name(tree.children[0]), self._span(tree))

    def _fail(self, tree: Node) -> ast.Fail:
        return ast.Fail(self._node(tree.children[0]), self._span(tree))

    def _raise_(self, tree: Node) -> ast.Raise:
        return ast.Raise(self._name(tree.children[0]), self._span(tree))

    def _spawn(self, tree: Node) -> ast.Spawn:
        root, machine, arguments, alias, delay, each = tree.children
        item, items = (None, None) if each is None else each.children
        return ast.Spawn(
            root is not None,
            self._node(machine),
            self._node(arguments),
            self._name(alias.children[0]) if alias is not None else None,
            self._maybe(delay),
            self._name(item) if item is not None else None,
            self._maybe(items),
            self._span(tree),
        )

    def _send(self, tree: Node) -> ast.Send:
        receiver, event, arguments = tree.children
        return ast.Send(self._node(receiver), self._name(event), self._maybe(arguments) or (), self._span(tree))

    def _when(self, tree: Node) -> ast.When:
        return ast.When(self._nodes(tree.children), self._span(tree))

    def _branch(self, tree: Node) -> ast.Branch:
        guard, body = tree.children
        return ast.Branch(self._node(guard), self._node(body), self._span(tree))

    def _otherwise(self, tree: Node) -> ast.Branch:
        return ast.Branch(None, self._node(tree.children[0]), self._span(tree))

    def _body(self, tree: Node) -> tuple[ast.Statement, ...]:
        """What follows a guard. `-> s { … }` is the block, then the arrow."""
        first, *rest = tree.children
        node = self._node(first)
        if isinstance(node, ast.Goto):
            return (*(self._maybe(rest[0]) or () if rest else ()), node)
        return node if isinstance(node, tuple) else (node,)

    def _apply(self, tree: Node) -> ast.Apply:
        name, arguments = tree.children
        return ast.Apply(self._node(name), self._node(arguments), self._span(tree))

    def _arguments(self, tree: Node) -> tuple[ast.Argument, ...]:
        return self._nodes(tree.children)

    def _argument(self, tree: Node) -> ast.Argument:
        name, value, upper = tree.children
        return ast.Argument(
            self._name(name) if name is not None else None, self._node(value), self._maybe(upper), self._span(tree)
        )

    # ------------------------------------------------------------ expressions

    def _binary(self, tree: Node) -> ast.Binary:
        left, operator, right = tree.children
        node = ast.Binary(cast("Any", str(operator)), self._node(left), self._node(right), self._span(tree))
        if operator.type != "COMPARE" or left.data != "binary" or left.children[1].type != "COMPARE":
            return node
        help = "join two comparisons with `and`"
        message = "a comparison does not compare with another one"
        self.diagnostics.append(
            Diagnostic(rules.CHAINED_COMPARISON, message, node.span, "compares a truth value", help=help)
        )
        return cast("ast.Binary", node.left)

    def _not_(self, tree: Node) -> ast.Unary:
        return ast.Unary("not", self._node(tree.children[0]), self._span(tree))

    def _negative(self, tree: Node) -> ast.Unary:
        return ast.Unary("-", self._node(tree.children[1]), self._span(tree))

    def _in_options(self, tree: Node) -> ast.In:
        operand, *options = (child for child in tree.children if child is not None)
        return ast.In(self._node(operand), self._nodes(options), None, self._span(tree))

    def _in_collection(self, tree: Node) -> ast.In:
        operand, collection = tree.children
        node = self._node(collection)
        if collection.data == "group":
            return ast.In(self._node(operand), (node,), None, self._span(tree))
        if isinstance(node, ast.ArrayExpr):
            return ast.In(self._node(operand), node.items, None, self._span(tree))
        return ast.In(self._node(operand), None, node, self._span(tree))

    def _is_null(self, tree: Node) -> ast.IsNull:
        return ast.IsNull(self._node(tree.children[0]), False, self._span(tree))

    def _is_not_null(self, tree: Node) -> ast.IsNull:
        return ast.IsNull(self._node(tree.children[0]), True, self._span(tree))

    def _cast_to(self, tree: Node) -> ast.Cast:
        operand, type_ = tree.children
        return ast.Cast(self._node(operand), self._node(type_), self._span(tree))

    def _member(self, tree: Node) -> ast.Member:
        base, name = tree.children
        return ast.Member(self._node(base), self._name(name), self._span(tree))

    def _index(self, tree: Node) -> ast.Index:
        base, key = tree.children
        return ast.Index(self._node(base), self._node(key), self._span(tree))

    def _call(self, tree: Node) -> ast.Call:
        function, arguments = tree.children
        return ast.Call(self._node(function), self._node(arguments), self._span(tree))

    def _variable(self, tree: Node) -> ast.Variable:
        return ast.Variable(str(tree.children[0]), self._span(tree))

    def _int(self, tree: Node) -> ast.Constant:
        return ast.Constant("int", self._digits(tree.children[0]), self._span(tree))

    def _number(self, tree: Node) -> ast.Constant:
        return ast.Constant("number", self._digits(tree.children[0]), self._span(tree))

    def _digits(self, token: Token) -> str:
        if len(token) <= MAX_DIGITS:
            return str(token)
        message = f"this number has {len(token)} characters"
        help = f"a number may have {MAX_DIGITS}"
        self.diagnostics.append(Diagnostic(rules.BAD_NUMBER, message, self._span(token), "too long", help=help))
        return "0"

    def _string(self, tree: Node) -> ast.Constant:
        return ast.Constant("string", self._text(tree.children[0]), self._span(tree))

    def _duration(self, tree: Node) -> ast.Constant:
        return ast.Constant("duration", self._milliseconds(tree.children[0]), self._span(tree))

    def _milliseconds(self, token: Token) -> int:
        total = milliseconds(str(token))
        if total is None:
            message = "this duration is longer than Postgres can store"
            help = "it keeps microseconds in 64 bits, which is some 290 thousand years"
            span = self._span(token)
            self.diagnostics.append(Diagnostic(rules.BAD_DURATION, message, span, "too long", help=help))
        return total or 0

    def _bool(self, tree: Node) -> ast.Constant:
        return ast.Constant("bool", str(tree.children[0]) == "true", self._span(tree))

    def _null(self, tree: Node) -> ast.Constant:
        return ast.Constant("null", None, self._span(tree))

    def _array(self, tree: Node) -> ast.ArrayExpr:
        return ast.ArrayExpr(self._nodes(tree.children), self._span(tree))
