"""`test` blocks: what each statement speaks of, and whether it fits the machines."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from functools import cached_property

from jetpackc.check import types, walk
from jetpackc.check.arguments import Callee, match
from jetpackc.check.declarations import Declarations, Parts
from jetpackc.check.expressions import guard, typed, value
from jetpackc.check.names import first_of_each, seen_from
from jetpackc.check.report import Report, listed
from jetpackc.check.scope import BUILTINS, Fields, ModuleScope, Scope, Typed
from jetpackc.check.works import Work, Works
from jetpackc.diagnostics.model import Label
from jetpackc.diagnostics.rules import flow as flow_rules, names as name_rules, tests as rules
from jetpackc.ir import chart, model as ir
from jetpackc.ir.kin import Kin
from jetpackc.ir.news import News
from jetpackc.records import dataclass, replace
from jetpackc.source import Span
from jetpackc.syntax import ast
from jetpackc.syntax.rewrite import rewrite

_ENDS = ("final", "failure")


def lower_tests(
    gathered: Mapping[str, Parts],
    declared: Mapping[str, Declarations],
    modules: Sequence[ir.Module],
    report: Report,
) -> tuple[ir.Test, ...]:
    """All tests, in the order of modules and of their text."""
    heads = {
        f"{module.name}.{machine.name}": Head(machine, declared[module.name].scope)
        for module in modules
        for machine in module.machines
    }
    news = News(Kin(ir.Program(tuple(modules))))
    found: list[ir.Test] = []
    for name, parts in sorted(gathered.items()):
        first_of_each((ast.Name(test.name, test.span) for test in parts.tests), "test", report)
        found += (_Story(declared[name].scope, heads, news, report).lower(test) for test in parts.tests)
    return tuple(found)


@dataclass(frozen=True)
class Head:
    """A machine as a test sees it: from the outside, with the names that its own guards have."""

    machine: ir.Machine
    module: ModuleScope

    def scope(self, report: Report) -> Scope:
        """For what is said of one of its tasks."""
        leaves = {name: tuple(leaf.name for leaf in chart.leaves_of(self.machine, name)) for name in self.states}
        params, variables = _typed(self.machine.params), _typed(self.machine.vars)
        return Scope(self.module, report, params, variables, states=leaves, builtins=BUILTINS)

    @property
    def name(self) -> str:
        """`module.machine`."""
        return f"{self.module.name}.{self.machine.name}"

    @property
    def states(self) -> Sequence[str]:
        """All states, composite ones too."""
        return [state.name for state in self.machine.states]

    @cached_property
    def events(self) -> Mapping[str, ir.Signature]:
        """What may be sent to it."""
        found = self.machine.signatures
        return {one.event: one for one in found if not one.state and one.event not in chart.LIFECYCLE}


def _typed(fields: Iterable[ir.Field]) -> dict[str, Typed]:
    return {
        one.name: Typed(one.name, one.type, one.span, has_default=one.default is not None, default=one.default)
        for one in fields
    }


@dataclass
class _Story:
    """One test on its way into the IR. `tasks` are the machines of those created, None where one is not known."""

    module: ModuleScope
    heads: Mapping[str, Head]
    news: News
    report: Report
    tasks: list[Head | None] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)
    spans: dict[str, Span] = field(default_factory=dict)
    latest: int | None = None
    """The task created last, of those that are there: one that `expect error` says was refused is not."""
    former: int | None = None
    before: ast.TestStatement | None = None
    """The last statement that is no `expect`."""

    def lower(self, node: ast.Test) -> ir.Test:
        steps: list[ir.TestStep] = []
        for statement in node.body:
            step = self._step(statement)
            if step is not None:
                steps.append(step)
            if not isinstance(statement, ast.Expect | ast.ExpectState | ast.ExpectSent | ast.ExpectError):
                self.before = statement
        return ir.Test(node.name, tuple(steps), node.span)

    def _step(self, node: ast.TestStatement) -> ir.TestStep | None:
        match node:
            case ast.Create():
                return self._create(node)
            case ast.Spawned():
                return self._spawned(node)
            case ast.Post():
                return self._send(node)
            case ast.Advance():
                found = value(node.value, Scope(self.module, self.report, params={}), types.INTERVAL)
                return None if found is None else ir.TestAdvance(found, node.span)
            case ast.Expect():
                return self._expect(node)
            case ast.ExpectState():
                return self._state(node)
            case ast.ExpectSent():
                self._needs("`expect sent`", "a `send`", node.span, ast.Post)
                return ir.TestSent(node.verdict, node.span)
            case ast.ExpectError():
                self._needs("`expect error`", "a `create` or a `send`", node.span, ast.Create | ast.Post)
                if isinstance(self.before, ast.Create):
                    self.latest = self.former
                return ir.TestError(node.message, node.span)
            case ast.Stub():
                return self._stub(node)

    # ------------------------------------------------------------ tasks

    def _create(self, node: ast.Create) -> ir.TestCreate | None:
        full, head = self._machine(node.machine)
        self._name(node.alias)
        self.tasks.append(head)
        self.former, self.latest = self.latest, len(self.tasks) - 1
        if head is None or full is None:
            return None
        arguments = self._arguments(node.machine, node.arguments, _typed(head.machine.params), head.module)
        return ir.TestCreate(full, arguments, node.span)

    def _machine(self, name: ast.Name) -> tuple[str | None, Head | None]:
        """The machine that is meant, as `module.machine`, and what is known of it."""
        known = self.module.machines
        if name.text not in known:
            places = {one: head.machine.span for one, head in self.heads.items()}
            self.report.unknown(*(name_rules.UNKNOWN_MACHINE, "machine", name.text, name.span, known), declared=places)
            return None, None
        full = _full(name.text, self.module)
        return full, self.heads.get(full)

    def _spawned(self, node: ast.Spawned) -> ir.TestSpawned | None:
        parent = self._known(node.parent, node.span) if node.parent is not None else None
        full, head = self._machine(node.machine)
        self._name(node.alias)
        self.tasks.append(head)
        if head is None or full is None or (node.parent is not None and parent is None):
            return None
        if not self._is_spawned(node.machine, full, parent[1] if parent is not None else None):
            return None
        return ir.TestSpawned(full, parent[0] if parent is not None else None, node.span)

    def _is_spawned(self, name: ast.Name, full: str, parent: Head | None) -> bool:
        """Whether a task of the machine may ever be spawned, by such a parent if one is named; else a finding."""
        made = self.news.kin.spawned if parent is None else self.news.kin.children[parent.name]
        if full in made:
            return True
        names = [one.removeprefix(f"{self.module.name}.") for one in made]
        if parent is None:
            message, help = f"nothing spawns `{name.text}`", f"a task that the test makes: `create {name.text}`"
        else:
            message = f"`{parent.machine.name}` has no `{name.text}` as a child"
            help = f"it has {listed(names, 'and')}" if names else "it spawns no children"
        self.report.add(rules.NEVER_SPAWNED, message, name.span, "never spawned", help=help)
        return False

    def _name(self, alias: ast.Name | None) -> None:
        if alias is None:
            return
        if alias.text in self.spans:
            message = f"task `{alias.text}` is named twice"
            first = [Label(self.spans[alias.text], "first named here")]
            self.report.add(name_rules.DUPLICATE_NAME, message, alias.span, "named again", secondary=first)
        self.spans.setdefault(alias.text, alias.span)
        self.names[alias.text] = len(self.tasks)

    def _task(self, name: ast.Name | None, span: Span) -> int | None:
        """The task that is meant: the one of this name, else the one created last."""
        if name is not None and name.text not in self.names:
            help = f"name a task where it is created: `create … as {name.text}`, or `spawned … as {name.text}`"
            self.report.unknown(
                *(rules.UNKNOWN_TASK, "task", name.text, name.span, self.names), help=help, declared=self.spans
            )
            return None
        if name is None and self.latest is None:
            help = "begin with `create`"
            self.report.add(rules.UNKNOWN_TASK, "there is no task yet", span, "of which task?", help=help)
            return None
        return self.names[name.text] if name is not None else self.latest

    def _known(self, name: ast.Name | None, span: Span) -> tuple[int, Head] | None:
        task = self._task(name, span)
        head = None if task is None else self.tasks[task]
        return None if task is None or head is None else (task, head)

    def _send(self, node: ast.Post) -> ir.TestSend | None:
        found = self._known(node.task, node.span)
        if found is None:
            return None
        task, head = found
        event = node.event.text
        if event in chart.LIFECYCLE:
            help = "stub the handler, or `advance` to where it happens"
            message = f"`{event}` cannot be sent"
            label = "dispatched by Jetpack itself"
            self.report.add(flow_rules.LIFECYCLE_EVENT, message, node.event.span, label, help=help)
        elif event not in head.events:
            self._unknown_event(node.event, head)
        else:
            fields = _typed(head.events[event].fields)
            return ir.TestSend(task, event, self._arguments(node.event, node.arguments, fields, head.module), node.span)
        return None

    def _unknown_event(self, name: ast.Name, head: Head) -> None:
        takes = f"`{head.machine.name}` takes {listed(head.events, 'and')}" if head.events else ""
        help = takes or f"`{head.machine.name}` takes none"
        self.report.unknown(name_rules.UNKNOWN_EVENT, "event", name.text, name.span, head.events, help=help)

    def _arguments(
        self, name: ast.Name, given: Sequence[ast.Argument], fields: Fields, module: ModuleScope
    ) -> tuple[tuple[str, ir.Expr], ...]:
        """Values for fields; they may use nothing but constants, functions and the clock."""
        scope = Scope(module, self.report, params={})
        optional = {one.name: one.may_be_left_out for one in fields.values()}
        places = {one.name: one.span for one in fields.values() if one.span.path}
        matched = match(Callee(name.text, optional, name.span, places=places), given, self.report).given
        found = {key: self._value(written, fields[key], scope) for key, written in matched.items()}
        return tuple((key, one) for key, one in found.items() if one is not None)

    def _value(self, node: ast.Expr, field: Typed, scope: Scope) -> ir.Expr | None:
        if field.type is None:
            return typed(node, scope)
        return value(node, scope, field.type, field.span if field.span.path else None)

    # ------------------------------------------------------------ expectations

    def _expect(self, node: ast.Expect) -> ir.TestExpect | None:
        named = {one.name: ast.Name(one.name, one.span) for one in _prefixes(node.condition, self.names)}
        if len(named) == 1 and not self._names_latest(node.condition):
            (name,) = named.values()
            found = self._known(name, node.span)
            return found and self._condition(node, *found, {}, _without(node.condition, named, keep=False))
        others = {text: found for text, name in named.items() if (found := self._known(name, node.span)) is not None}
        latest = self._known(None, node.span)
        if latest is None or len(others) < len(named):
            return None
        return self._condition(node, *latest, others, _without(node.condition, named, keep=True))

    def _condition(
        self, node: ast.Expect, task: int, head: Head, others: Mapping[str, tuple[int, Head]], written: ast.Expr
    ) -> ir.TestExpect | None:
        scope = head.scope(self.report)
        for name, (_, other) in others.items():
            scope = _with(scope, name, other)
        condition = guard(written, scope)
        self._check_looks(condition, head)
        numbers = tuple((name, number) for name, (number, _) in others.items())
        return None if condition is None else ir.TestExpect(task, condition, numbers, node.span)

    def _check_looks(self, condition: ir.Expr | None, head: Head) -> None:
        """Whether the states that are counted are those of tasks below this one."""
        name = head.name
        for tree in () if condition is None else _trees(condition):
            below = self.news.kin.children[name] if tree.of == "children" else self.news.kin.below(name)
            known = [state for one in below for state in chart.states(self.news.kin.machines[one][1])]
            for asked, span in zip(tree.names, tree.places, strict=True):
                if asked not in _ENDS and not any(self.news.leaves(name, one, asked) for one in below):
                    help = "" if below else f"`{head.machine.name}` makes no tasks"
                    candidates = dict.fromkeys([*known, *_ENDS])
                    self.report.unknown(name_rules.UNKNOWN_STATE, "state", asked, span, candidates, help=help)

    def _names_latest(self, condition: ast.Expr) -> bool:
        """Whether a name stands in it that the task created last has."""
        latest = None if self.latest is None else self.tasks[self.latest]
        if latest is None:
            return False
        known = latest.scope(Report())
        return any(known.lookup(one.name) is not None for one in _bare(condition))

    def _state(self, node: ast.ExpectState) -> ir.TestState | None:
        found = self._known(node.task, node.span)
        if found is None:
            return None
        task, head = found
        name = node.state.text
        if name not in head.states:
            what = f"state of `{head.machine.name}`"
            self.report.unknown(name_rules.UNKNOWN_STATE, what, name, node.state.span, head.states)
            return None
        leaves = tuple(leaf.name for leaf in chart.leaves_of(head.machine, name))
        return ir.TestState(task, name, leaves, node.span)

    def _needs(self, what: str, kind: str, span: Span, wanted: object) -> None:
        if not isinstance(self.before, wanted):  # type: ignore[arg-type]
            message = f"{what} speaks of {kind}, and none is right above it"
            self.report.add(rules.NOTHING_SENT, message, span, "about what?", help=f"put it below {kind}")

    # ------------------------------------------------------------ stubs

    def _stub(self, node: ast.Stub) -> ir.TestStub | None:
        machines = {name: self.heads.get(_full(name, self.module)) for name in self.module.machines}
        known = Works({name: head.machine for name, head in machines.items() if head is not None})
        if len(known.machines) < len(machines) and node.work.text not in known.names:
            return None  # it may be of a machine that did not compile
        found = known.find(node.work, self.report)
        if not found:
            return None
        works = tuple((_full(one.machine, self.module), one.leaf.name) for one in found)
        if node.kind in ("hangs", "dies"):
            return ir.TestStub(works, "", (), node.times, node.kind == "dies", node.span)
        event = node.event or ast.Name("ERROR" if node.kind == "raises" else "SUCCESS", node.work.span)
        arguments = self._outcome(node, event, found)
        return None if arguments is None else ir.TestStub(works, event.text, arguments, node.times, span=node.span)

    def _outcome(
        self, node: ast.Stub, event: ast.Name, works: Sequence[Work]
    ) -> tuple[tuple[str, ir.Expr], ...] | None:
        """The payload, checked against each machine that the handler works for."""
        given: tuple[tuple[str, ir.Expr], ...] = ()
        for one in works:
            outcomes = [name for name in chart.events(one.in_machine, one.leaf.name) if name != chart.LOCKED]
            if event.text not in outcomes:
                help = f"in `{one.leaf.name}` it may end with {listed(outcomes, 'and')}"
                self.report.unknown(name_rules.UNKNOWN_EVENT, "outcome", event.text, event.span, outcomes, help=help)
                return None
            fields = _typed(chart.fields(one.in_machine, event.text, one.leaf.name))
            if event.text == "ERROR":
                fields = {name: replace(field, has_default=True) for name, field in fields.items()}
            head = self.heads[_full(one.machine, self.module)]
            given = self._arguments(event, _arguments(node), fields, head.module)
        return given


def _arguments(node: ast.Stub) -> tuple[ast.Argument, ...]:
    """What `raises "why"` stands for, written out."""
    if node.message is None:
        return node.arguments
    span = node.message.span
    return (ast.Argument(ast.Name("message", span), node.message, None, span),)


def _full(name: str, module: ModuleScope) -> str:
    return name if "." in name else f"{module.name}.{name}"


def _prefixes(node: ast.Expr, names: Mapping[str, int]) -> list[ast.Variable]:
    """The names of tasks that members are asked of: `hotel` in `hotel.price > 5`."""
    found: list[ast.Variable] = []

    def look(one: object) -> object:
        if isinstance(one, ast.Member) and isinstance(one.base, ast.Variable) and one.base.name in names:
            found.append(one.base)
        return one

    rewrite(node, look)
    return found


def _without(node: ast.Expr, names: Collection[str], *, keep: bool) -> ast.Expr:
    """The expression with `hotel.price` as one name, or as `price` alone."""

    def change(one: object) -> object:
        if isinstance(one, ast.Member) and isinstance(one.base, ast.Variable) and one.base.name in names:
            return ast.Variable(f"{one.base.name}.{one.name.text}" if keep else one.name.text, one.span)
        return one

    return rewrite(node, change)


def _with(scope: Scope, name: str, head: Head) -> Scope:
    """The scope with the names of another task, each behind the task's own."""

    def behind(fields: Sequence[ir.Field]) -> Fields:
        seen = seen_from(scope.module.name, head.module.name, _typed(fields))
        return {f"{name}.{one}": typed for one, typed in seen.items()}

    return replace(
        scope,
        params={**scope.params, **behind(head.machine.params)},
        vars={**scope.vars, **behind(head.machine.vars)},
        builtins={**scope.builtins, **{f"{name}.{one}": type for one, type in BUILTINS.items()}},
    )


def _trees(node: ir.Expr) -> Iterator[ir.Tree]:
    if isinstance(node, ir.Tree):
        yield node
    for part in walk.parts(node):
        yield from _trees(part)


def _bare(node: ast.Expr) -> list[ast.Variable]:
    """The names that stand alone."""
    bases: set[Span] = set()
    found: list[ast.Variable] = []

    def look(one: object) -> object:
        if isinstance(one, ast.Member):
            bases.add(one.base.span)
        elif isinstance(one, ast.Variable):
            found.append(one)
        return one

    rewrite(node, look)
    return [one for one in found if one.span not in bases]
