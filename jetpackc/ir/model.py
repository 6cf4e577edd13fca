"""The IR: a program with every name resolved, every sugar expanded and every expression typed.

It is what the emitter, the differ, the reference interpreter, the visualiser and the language server read.
Plain frozen data; `span` fields say where a node came from and take no part in equality or in the canonical JSON.

A worked example. This source

    machine mail(address: text) is task(max_attempts: 3) { state running { run "app.mail:send" } }

becomes (spans left out)

    Machine(
      name="mail",
      params=(Field("address", Type("text"), None),),
      vars=(),
      states=(
        State("ready", on=(Clause(("LOCKED_BY_WORKER",), (), None,
                           (Set("attempts", Binary("+", Ref("builtin", "attempts", INT), Literal(1, INT), INT)),
                            Goto("running"))),), ...),
        State("running", run="app.mail:send", on=(Clause(("SUCCESS",), (), None, (Goto("done"),)), ...)),
        State("failed", enter=(Clause(guard=attempts < 3, body=(Goto("ready"),)), Clause(body=(Goto("abandoned"),)))),
        State("done", kind="final", ...), State("abandoned", kind="failure", ...)),
      initial="ready")
"""

from __future__ import annotations

from dataclasses import field
from typing import Literal as OneOf

from jetpackc.ir.expressions import (
    NO_SPAN as NO_SPAN,
    Access as Access,
    Array as Array,
    Binary as Binary,
    Call as Call,
    Cast as Cast,
    Expr as Expr,
    In as In,
    IsNull as IsNull,
    Literal as Literal,
    Ref as Ref,
    Tree as Tree,
    Type as Type,
    TypeKind as TypeKind,
    Unary as Unary,
)
from jetpackc.ir.tests import (
    Test as Test,
    TestAdvance as TestAdvance,
    TestCreate as TestCreate,
    TestError as TestError,
    TestExpect as TestExpect,
    TestSend as TestSend,
    TestSent as TestSent,
    TestSpawned as TestSpawned,
    TestState as TestState,
    TestStep as TestStep,
    TestStub as TestStub,
)
from jetpackc.records import dataclass
from jetpackc.source import Span

# ---------------------------------------------------------------- statements


@dataclass(frozen=True, slots=True)
class Set:
    """Assign a var, or the builtin `attempts`. `increment x` is `set x = x + 1`."""

    name: str
    value: Expr
    span: Span = field(default=NO_SPAN, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Goto:
    """Take a transition to a leaf state and end the clause. `delay` (interval) makes a claimable target claimable
    later.

    `reenter` leaves the state that owns the clause (the `exit`s from the leaf up to and including the owner's) and
    enters it again (the owner's `enter` first, then inwards); `target` is the leaf that this enters. A clause of the
    machine has no state: there `target` is empty, and the leaf that the task is in, it alone, is left and entered.
    `chart.clauses` gives such a clause with that leaf as its target."""

    target: str
    delay: Expr | None = None
    reenter: bool = False
    span: Span = field(default=NO_SPAN, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Raise:
    """Dispatch a lifecycle event to this task itself, now, and end the clause (statechart `raise`)."""

    event: str
    span: Span = field(default=NO_SPAN, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Fail:
    """Undo the whole dispatch with this message (text)."""

    message: Expr
    span: Span = field(default=NO_SPAN, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Spawn:
    """Create a task of `machine`, in this module. `arguments` has one entry a param given, in the order of the params;
    the others take their defaults. `root`: a free task, not a child. `alias`: the var that keeps its id. With `items`,
    an array, one task an element, which `delay` and the arguments read as the Ref `item` of scope "item"."""

    machine: str
    arguments: tuple[tuple[str, Expr], ...]
    root: bool = False
    delay: Expr | None = None
    alias: str = ""
    item: str = ""
    items: Expr | None = None
    span: Span = field(default=NO_SPAN, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Send:
    """A message to other tasks: to kin, or where `kin` is empty to the task with the id `to`; null is nobody."""

    kin: OneOf["parent", "root", "siblings", "children", "subtree", ""]
    event: str
    arguments: tuple[tuple[str, Expr], ...]
    to: Expr | None = None
    span: Span = field(default=NO_SPAN, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Branch:
    """One arm; the last may have no guard (`else`)."""

    guard: Expr | None
    body: tuple[Statement, ...]
    span: Span = field(default=NO_SPAN, compare=False, repr=False)
    guard_span: Span = field(default=NO_SPAN, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class When:
    """The first arm whose guard is true runs; null counts as false."""

    branches: tuple[Branch, ...]
    span: Span = field(default=NO_SPAN, compare=False, repr=False)


Statement = Set | Goto | Raise | Fail | Spawn | Send | When


# ---------------------------------------------------------------- machines


@dataclass(frozen=True, slots=True)
class Field:
    """A typed name: a param, a var, an event's field. `default` of a param or var may read the params before it and
    now(), that of an event's field now() alone. An optional one without a default is null when left out.

    An event's field that is left out, or null, takes its default when the event is dispatched to a task: clauses, the
    history and the handler see a payload with all of them."""

    name: str
    type: Type
    default: Expr | None = None
    doc: str = ""
    span: Span = field(default=NO_SPAN, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Clause:
    """What one trigger does: tried in order, the first of an event whose guard is true (null is false) is taken.

    `events` is empty for `enter` and `exit`. A clause's own arrow is the last statement of `body`. A Goto or Raise is
    always the last statement of its block, and nothing runs after one that was taken.
    """

    events: tuple[str, ...]
    guard: Expr | None
    body: tuple[Statement, ...]
    span: Span = field(default=NO_SPAN, compare=False, repr=False)
    guard_span: Span = field(default=NO_SPAN, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Timer:
    """`after` an interval, or `at` a moment (null: no timer), both told once, when the dispatch that entered the state
    comes to rest. Leaving the state puts it out, and it fires once: whatever its guard, which is read then.

    `clause` is what it does, and answers no event."""

    kind: OneOf["after", "at"]
    value: Expr
    clause: Clause
    span: Span = field(default=NO_SPAN, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class State:
    """A state. Leaves have no children; a composite has an `initial` child.

    `name` is what the column holds: `cart`, or `charging.ready` for a step's leaf. `on` are its own clauses in the
    order they are tried (a template's already merged in behind its own); those of enclosing states come after, from
    inner to outer, then the machine's. `enter` clauses whose guard is true all run, in order, until one takes `->`.
    `timers` run while a task is in the state, or in one inside it.
    `defer` are the events that it keeps until the state has changed, where no clause takes them. `result` is what a
    final state returns.
    """

    name: str
    kind: OneOf["plain", "final", "failure"] = "plain"
    parent: str | None = None
    initial: str | None = None
    on: tuple[Clause, ...] = ()
    enter: tuple[Clause, ...] = ()
    exit: tuple[Clause, ...] = ()
    timers: tuple[Timer, ...] = ()
    run: str | None = None
    timeout: Expr | None = None
    ignore: tuple[str, ...] = ()
    defer: tuple[str, ...] = ()
    result: Expr | None = None
    doc: str = ""
    span: Span = field(default=NO_SPAN, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Signature:
    """An event this machine handles and its payload, as this machine reads it (declared, typed at `on`, or built in).
    `state` is set for lifecycle events, which are typed a state; elsewhere it is empty."""

    event: str
    fields: tuple[Field, ...]
    state: str = ""


@dataclass(frozen=True, slots=True)
class Unique:
    """At most one task with these params or vars while it is not final (or while in `states`)."""

    columns: tuple[str, ...]
    states: tuple[str, ...] = ()
    verdict: OneOf["return", "error"] = "error"
    span: Span = field(default=NO_SPAN, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` tasks at work at once; with a `window` (milliseconds), at most that many begun within any such
    time. Of each value of the param `by`, or of the whole machine."""

    count: int
    window: int | None = None
    by: str = ""
    span: Span = field(default=NO_SPAN, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Keep:
    """How long a task is kept that has ended in a state (a leaf): so many milliseconds from its entry."""

    state: str
    length: int
    span: Span = field(default=NO_SPAN, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine with its template merged in. `states` in source order, a composite before its children;
    `initial` is the leaf a new task starts in; `on` are the machine-wide clauses. `priority`, an int over the
    params, is that of a new task whose creator gives none. `fair` is the param whose values take turns, or empty;
    limits by a param go by the same one. `keeps` has one entry a state whose tasks are removed, `keep_history` the age
    in milliseconds at which history is."""

    name: str
    params: tuple[Field, ...]
    vars: tuple[Field, ...]
    states: tuple[State, ...]
    initial: str
    on: tuple[Clause, ...] = ()
    signatures: tuple[Signature, ...] = ()
    uniques: tuple[Unique, ...] = ()
    priority: Expr | None = None
    limits: tuple[Limit, ...] = ()
    fair: str = ""
    keeps: tuple[Keep, ...] = ()
    keep_history: int | None = None
    doc: str = ""
    span: Span = field(default=NO_SPAN, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Enum:
    """A set of names, its values in source order."""

    name: str
    values: tuple[str, ...]
    doc: str = ""
    span: Span = field(default=NO_SPAN, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Event:
    """An event declared at module level."""

    name: str
    fields: tuple[Field, ...]
    doc: str = ""
    span: Span = field(default=NO_SPAN, compare=False, repr=False)


Missed = OneOf["latest", "all", "skip"]
MISSED: tuple[Missed, ...] = ("latest", "all", "skip")


@dataclass(frozen=True, slots=True)
class Schedule:
    """Creates a task at each of its slots: those of `cron` (five fields) on the clocks of `zone`, or each `every`
    milliseconds from 1970 on. `missed`: which slots that nobody fired in time are made up for.

    The arguments of `spawn` may read now() and the builtins `slot` (the moment) and `today` (its date in the zone)."""

    name: str
    spawn: Spawn
    cron: str = ""
    every: int = 0
    zone: str = "UTC"
    missed: Missed = "latest"
    doc: str = ""
    span: Span = field(default=NO_SPAN, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Module:
    """A module: one Postgres schema of the same name. `imported`: the enums of other modules that its types name, as
    `module.enum`; a machine of another module is spawned by such a name as well."""

    name: str
    enums: tuple[Enum, ...] = ()
    events: tuple[Event, ...] = ()
    machines: tuple[Machine, ...] = ()
    doc: str = ""
    imported: tuple[Enum, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    span: Span = field(default=NO_SPAN, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Program:
    """All modules of one build, ordered by name, and their tests, of which nothing gets into a database."""

    modules: tuple[Module, ...]
    tests: tuple[Test, ...] = ()
