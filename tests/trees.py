"""Syntax trees: what is in one, and ones at random, of every kind that a text can give, without places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields as fields_of, is_dataclass
from typing import Any

from hypothesis import strategies as st

from jetpackc.source import Span
from jetpackc.syntax import ast
from jetpackc.syntax.rewrite import NOWHERE


def nodes(tree: Any) -> Iterator[Any]:
    """The tree's nodes, each before what is in it."""
    if isinstance(tree, tuple):
        for item in tree:
            yield from nodes(item)
    elif is_dataclass(tree) and not isinstance(tree, Span):
        yield tree
        for field in fields_of(tree):
            yield from nodes(getattr(tree, field.name))


WORDS = (
    *("cart", "a", "x1", "order_id", "statefoo", "online", "isolated", "nullable", "format", "self", "children"),
    *(
        "state",
        "on",
        "unique",
        "limit",
        "run",
        "priority",
        "retry",
        "event",
        "root",
        "was",
        "initial",
        "final",
        "failure",
    ),
    *("test", "create", "advance", "expect", "stub", "returns", "raises", "hangs", "once", "times", "sent", "applied"),
    *("dies", "spawned", "of"),
    *("step", "enter", "exit", "after", "at", "timeout", "ignore", "defer", "raise", "module", "machine", "operator"),
    *(
        "return",
        "error",
        "while",
        "cron",
        "every",
        "per",
        "by",
        "keep",
        "removed",
        "allow",
        "because",
        "var",
        "template",
    ),
)
"""Plain names, names that begin as a keyword does, and the words that are keywords only where a clause may begin."""

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
names = st.sampled_from(WORDS).map(lambda text: ast.Name(text, NOWHERE))
operators = st.sampled_from(["retry", "again", "statefoo"]).map(lambda text: ast.Name(text, NOWHERE))
states = st.lists(names, min_size=1, max_size=2).map(lambda parts: ast.Name(".".join(p.text for p in parts), NOWHERE))
references = states
elsewhere = operators.map(lambda name: ast.Name(f"shop.{name.text}", NOWHERE))
events = st.sampled_from(["GO", "PAID", "A", "X_1"]).map(lambda text: ast.Name(text, NOWHERE))
codes = st.sampled_from(["J101", "J999"]).map(lambda text: ast.Name(text, NOWHERE))
docs = st.lists(st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=9), max_size=2).map(
    lambda lines: "\n".join(line.strip() for line in lines).strip()
)


def node(made: type, /, **parts: Any) -> st.SearchStrategy[Any]:
    """A node of this kind, its parts at random."""
    return st.builds(made, span=st.just(NOWHERE), **parts)


def some(inner: st.SearchStrategy[Any], least: int = 0, most: int = 3) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(inner, min_size=least, max_size=most).map(tuple)


def maybe(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | inner


def opaque(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """The same, and not written out in the description of what contains it, which would grow without bound."""

    @st.composite
    def tree(draw: st.DrawFn) -> Any:
        return draw(inner)

    return tree()


types = node(ast.TypeName, name=references, array=st.booleans(), optional=st.booleans())

leaves = st.one_of(
    node(ast.Constant, kind=st.just("int"), value=st.integers(0, 10**20).map(str)),
    node(ast.Constant, kind=st.just("number"), value=st.from_regex(r"[0-9]{1,3}\.[0-9]{1,3}", fullmatch=True)),
    node(ast.Constant, kind=st.just("string"), value=texts),
    node(ast.Constant, kind=st.just("duration"), value=st.integers(0, 10**12)),
    node(ast.Constant, kind=st.just("bool"), value=st.booleans()),
    node(ast.Constant, kind=st.just("null"), value=st.none()),
    node(ast.Variable, name=names.map(lambda name: name.text)),
)


def arguments_of(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return some(node(ast.Argument, name=maybe(names), value=inner, upper=maybe(inner)))


def _branches(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    infix = st.sampled_from(["or", "and", "==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "++", "??"])
    member = st.sampled_from(["firstName", "x", "null", "state"]).map(lambda text: ast.Name(text, NOWHERE))
    return st.one_of(
        node(ast.Binary, operator=infix, left=inner, right=inner),
        node(ast.Unary, operator=st.sampled_from(["-", "not"]), operand=inner),
        node(ast.IsNull, operand=inner, negated=st.booleans()),
        node(ast.In, operand=inner, options=some(inner), collection=st.none()),
        node(ast.In, operand=inner, options=st.none(), collection=leaves),
        node(ast.Cast, operand=inner, type=types),
        node(ast.Member, base=inner, name=member),
        node(ast.Index, base=inner, key=inner),
        node(ast.Call, function=inner, arguments=arguments_of(inner)),
        node(ast.ArrayExpr, items=some(inner)),
    )


expressions = opaque(st.recursive(leaves, _branches, max_leaves=8))
arguments = arguments_of(expressions)
fields = some(node(ast.Field, name=names, type=types, default=maybe(expressions), doc=docs))

gotos = node(ast.Goto, target=states, delay=maybe(expressions)) | node(ast.Goto, target=st.none(), delay=st.none())
each = st.tuples(names, expressions) | st.tuples(st.none(), st.none())
spawns = st.builds(
    lambda root, machine, given, alias, delay, of: ast.Spawn(root, machine, given, alias, delay, *of, NOWHERE),
    *(st.booleans(), references, arguments, maybe(names), maybe(expressions), each),
)
simple = st.one_of(
    gotos,
    spawns,
    node(ast.Set, name=names, value=expressions),
    node(ast.Increment, name=names),
    node(ast.Fail, message=expressions),
    node(ast.Raise, event=events),
    node(ast.Send, receiver=expressions, event=events, arguments=arguments),
    node(ast.Apply, operator=operators | elsewhere, arguments=arguments),
)


def _whens(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    guarded = node(ast.Branch, guard=expressions, body=some(inner))
    last = node(ast.Branch, guard=st.none(), body=some(inner))
    branches = st.tuples(some(guarded, 1), some(last, 0, 1)).map(lambda parts: parts[0] + parts[1])
    return node(ast.When, branches=branches)


statements = opaque(st.recursive(simple, _whens, max_leaves=4))
clauses = opaque(node(ast.Clause, guard=maybe(expressions), target=maybe(gotos), body=some(statements)))
removed = node(ast.Removed, name=states, body=some(statements))
state_members = st.one_of(
    removed,
    node(ast.Enter, clause=clauses),
    node(ast.Exit, body=some(statements)),
    node(ast.On, events=some(events, 1), fields=maybe(fields), clause=clauses),
    node(ast.Timer, kind=st.sampled_from(["after", "at"]), value=expressions, clause=clauses),
    node(ast.Run, handler=texts),
    node(ast.Timeout, value=expressions),
    node(ast.Ignore, events=some(events, 1)),
    node(ast.Defer, events=some(events, 1)),
    node(ast.Result, value=expressions),
)


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    kinds = some(st.sampled_from(["initial", "final", "failure"]), 0, 2)
    state = node(
        ast.State,
        kinds=kinds,
        names=some(states, 1),
        was=maybe(names),
        members=some(inner),
        doc=docs,
    )
    step = node(
        ast.Step,
        initial=st.booleans(),
        name=names,
        arguments=arguments,
        was=maybe(names),
        members=some(inner),
        doc=docs,
    )
    return state | step


nested = opaque(st.recursive(state_members, _nested, max_leaves=6))
allows = node(ast.Allow, code=codes, reason=texts)
machine_members = opaque(
    st.one_of(
        _nested(nested),
        removed,
        allows,
        node(ast.Keep, what=names, length=st.integers(0, 10**9)),
        node(ast.Priority, value=expressions),
        node(ast.Limit, count=st.integers(0, 1000), window=maybe(st.integers(0, 10**9)), by=maybe(names)),
        node(ast.Fair, by=names),
        node(ast.Var, name=names, type=types, was=maybe(names), default=maybe(expressions), doc=docs),
        node(
            ast.Unique,
            columns=some(names, 1),
            states=maybe(some(states, 1)),
            verdict=st.sampled_from(["return", "error"]),
        ),
        node(ast.On, events=some(events, 1), fields=maybe(fields), clause=clauses),
        node(ast.Ignore, events=some(events, 1)),
        node(ast.Defer, events=some(events, 1)),
    )
)
based = st.tuples(references, arguments) | st.tuples(st.none(), st.just(()))
machines = st.builds(
    lambda name, params, was, base, members, doc: ast.Machine(name, params, was, *base, members, doc, NOWHERE),
    *(names, fields, maybe(names), based, some(machine_members), docs),
)
quoted = texts.map(lambda text: ast.Constant("string", text, NOWHERE))
schedules = st.one_of(
    *(
        st.builds(ast.Schedule, names, *moments, maybe(names), spawns, docs, st.just(NOWHERE))
        for moments in ((quoted, maybe(quoted), st.none()), (st.none(), st.none(), expressions))
    )
)
times = maybe(st.integers(1, 9))
stubs = st.one_of(
    node(
        ast.Stub,
        work=states,
        kind=st.just("returns"),
        event=maybe(events),
        arguments=arguments,
        message=st.none(),
        times=times,
    ),
    node(
        ast.Stub,
        work=states,
        kind=st.just("raises"),
        event=st.none(),
        arguments=arguments,
        message=st.none(),
        times=times,
    ),
    node(
        ast.Stub,
        work=states,
        kind=st.just("raises"),
        event=st.none(),
        arguments=st.just(()),
        message=node(ast.Constant, kind=st.just("string"), value=texts),
        times=times,
    ),
    node(
        ast.Stub,
        work=states,
        kind=st.sampled_from(["hangs", "dies"]),
        event=st.none(),
        arguments=st.just(()),
        message=st.none(),
        times=times,
    ),
)
test_statements = st.one_of(
    stubs,
    node(ast.Create, machine=references, arguments=arguments, alias=maybe(names)),
    node(ast.Spawned, machine=references, parent=maybe(names), alias=names),
    node(ast.Post, task=maybe(names), event=events, arguments=arguments),
    node(ast.Advance, value=expressions),
    node(ast.Expect, condition=expressions),
    node(ast.ExpectState, task=maybe(names), state=states),
    node(ast.ExpectSent, verdict=st.sampled_from(["applied", "ignored", "refused"])),
    node(ast.ExpectError, message=texts),
)
items = opaque(
    st.one_of(
        machines,
        schedules,
        node(ast.Test, name=texts, body=some(test_statements), doc=docs),
        allows,
        node(ast.Module, name=names, doc=docs),
        node(ast.Import, path=texts),
        node(ast.Enum, name=names, values=some(names, 1), doc=docs),
        node(ast.Event, name=events, fields=fields, doc=docs),
        node(ast.Operator, name=operators, params=fields, body=some(statements), doc=docs),
        node(ast.Template, name=names, params=fields, members=some(machine_members), doc=docs),
    )
)
files = some(items).map(lambda found: ast.File("a.jet", found))
