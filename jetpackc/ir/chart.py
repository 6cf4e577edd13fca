"""Questions about a machine's chart of states: pure helpers for the emitter, the interpreter and the visualiser.

Answers come from an index that is built once a machine object and kept for the few machines last asked about.
"""

from __future__ import annotations

from collections.abc import Mapping

from jetpackc.ir.model import Branch, Clause, Field, Goto, Machine, Signature, State, Statement, Timer, Type, When
from jetpackc.records import dataclass, replace

LIFECYCLE = frozenset(
    {
        "LOCKED_BY_WORKER",
        "SUCCESS",
        "ERROR",
        "RELEASED",
        "LEASE_EXPIRED",
        "TIMEOUT",
        "ABANDONED",
        "SUBTREE_UPDATE",
        "SUBTREE_FLUSHED",
        "CHILD_DONE",
    }
)
"""Events that Jetpack itself dispatches: they cannot be sent from outside, and are typed a state."""

ERROR_FIELDS = tuple(Field(name, Type("text")) for name in ("type", "message", "traceback"))
"""The payload of ERROR, the same in every state."""

CHILD_FIELDS = (
    Field("machine", Type("text")),
    Field("id", Type("bigint")),
    Field("state", Type("text")),
    Field("result", Type("json", optional=True)),
)
"""The payload of CHILD_DONE, the same in every state."""

LOCKED = "LOCKED_BY_WORKER"


def states(machine: Machine) -> Mapping[str, State]:
    """Every state by its name, in source order."""
    return _index(machine).states


def leaves(machine: Machine) -> tuple[State, ...]:
    """The states a task can be in: those without children, in source order."""
    return _index(machine).leaves


def leaves_of(machine: Machine, name: str) -> tuple[State, ...]:
    """The leaves inside a state, in source order; a leaf is its own."""
    return _index(machine).leaves_of[name]


def ancestors(machine: Machine, name: str) -> tuple[State, ...]:
    """The state itself, then the states around it from inner to outer."""
    return _index(machine).ancestors[name]


def is_final(machine: Machine, leaf: str) -> bool:
    """Whether a task in this leaf has ended, well (`final`) or badly (`failure`)."""
    return states(machine)[leaf].kind != "plain"


def clauses(machine: Machine, leaf: str, event: str) -> tuple[Clause, ...]:
    """The clauses that answer an event in a leaf, in the order they are tried; the first whose guard is true is taken.

    The leaf's own come first, then those of the states around it from inner to outer, then the machine's. A final leaf
    has its own only.
    """
    return _index(machine).clauses[leaf].get(event, ())


def reentered(machine: Machine, leaf: str, clause: Clause) -> str:
    """The state that a `reenter` of this clause leaves and enters for a task in the leaf: its owner, else the leaf."""
    return owner(machine, leaf, clause) or leaf


def owner(machine: Machine, leaf: str, clause: Clause) -> str | None:
    """The state around (or being) the leaf that this very clause stands in, which `reenter` leaves and enters; None for
    a machine-wide one."""
    around = ancestors(machine, leaf)
    found = (state.name for state in around if any(clause is own for own in _own(state)))
    return next(found, None)


def _own(state: State) -> tuple[Clause, ...]:
    return (*state.on, *state.enter, *(timer.clause for timer in state.timers))


def timers(machine: Machine, leaf: str) -> tuple[Timer, ...]:
    """The timers that run while a task is in a leaf: those of the states around it from outer to inner, then its own.
    Their places in this row are what a task keeps their moments by, and of several due at once the first goes first."""
    around = () if is_final(machine, leaf) else reversed(ancestors(machine, leaf))
    return tuple(timer for state in around for timer in state.timers)


def events(machine: Machine, leaf: str) -> tuple[str, ...]:
    """The events that a leaf answers, its own or inherited, in the order their first clauses stand."""
    return tuple(_index(machine).clauses[leaf])


def deferred(machine: Machine, leaf: str) -> tuple[str, ...]:
    """The events that a leaf keeps for later where nothing takes them, its own or those of states around it."""
    around = ancestors(machine, leaf)
    return tuple(dict.fromkeys(event for state in around for event in state.defer))


def claimable(machine: Machine) -> tuple[State, ...]:
    """The leaves that a worker may claim a task in: those that answer LOCKED_BY_WORKER."""
    return tuple(leaf for leaf in leaves(machine) if clauses(machine, leaf.name, LOCKED))


def running(machine: Machine) -> tuple[State, ...]:
    """The leaves in which a handler works on the task: those with `run`."""
    return tuple(leaf for leaf in leaves(machine) if leaf.run is not None)


def fields(machine: Machine, event: str, leaf: str) -> tuple[Field, ...]:
    """The payload of an event as a leaf sees it; empty for an event that the machine has no signature of."""
    found = _index(machine).signatures
    names = (*(state.name for state in ancestors(machine, leaf)), "")
    return next((found[event, name].fields for name in names if (event, name) in found), ())


@dataclass(frozen=True, slots=True)
class _Index:
    states: dict[str, State]
    leaves: tuple[State, ...]
    leaves_of: dict[str, tuple[State, ...]]
    ancestors: dict[str, tuple[State, ...]]
    clauses: dict[str, dict[str, tuple[Clause, ...]]]
    signatures: dict[tuple[str, str], Signature]


_LAST_ASKED = 32
_indexes: dict[int, tuple[Machine, _Index]] = {}
"""By identity: hashing a machine by value would walk the whole tree at every question. To hold the machine keeps its
number from going to another one."""


def _index(machine: Machine) -> _Index:
    found = _indexes.get(id(machine))
    if found is None:
        if len(_indexes) >= _LAST_ASKED:
            _indexes.pop(list(_indexes)[0], None)  # noqa: RUF015 - whole at once, whatever another thread does
        found = _indexes[id(machine)] = machine, _indexed(machine)
    return found[1]


def _indexed(machine: Machine) -> _Index:
    by_name = {state.name: state for state in machine.states}
    parents = {state.parent for state in machine.states}
    leaf_states = tuple(state for state in machine.states if state.name not in parents)
    around = {name: _ancestors(by_name, name) for name in by_name}
    inside: dict[str, list[State]] = {name: [] for name in by_name}
    for leaf in leaf_states:
        for state in around[leaf.name]:
            inside[state.name].append(leaf)
    return _Index(
        states=by_name,
        leaves=leaf_states,
        leaves_of={name: tuple(found) for name, found in inside.items()},
        ancestors=around,
        clauses={leaf.name: _clauses(machine, around[leaf.name]) for leaf in leaf_states},
        signatures={(signature.event, signature.state): signature for signature in machine.signatures},
    )


def _ancestors(by_name: Mapping[str, State], name: str) -> tuple[State, ...]:
    found = [by_name[name]]
    while (parent := found[-1].parent) is not None:
        found.append(by_name[parent])
    return tuple(found)


def _clauses(machine: Machine, around: tuple[State, ...]) -> dict[str, tuple[Clause, ...]]:
    leaf = around[0]
    tried = [*leaf.on]
    if leaf.kind == "plain":
        tried += [clause for state in around[1:] for clause in state.on]
        tried += [_settled(clause, leaf.name) for clause in machine.on]
    found: dict[str, list[Clause]] = {}
    for clause in tried:
        for event in clause.events:
            found.setdefault(event, []).append(clause)
    return {event: tuple(clauses) for event, clauses in found.items()}


def _settled(clause: Clause, leaf: str) -> Clause:
    """A machine-wide clause for a task in this leaf: `reenter` means the leaf."""
    body = _settled_body(clause.body, leaf)
    return clause if body == clause.body else replace(clause, body=body)


def _settled_body(body: tuple[Statement, ...], leaf: str) -> tuple[Statement, ...]:
    return tuple(_settled_statement(statement, leaf) for statement in body)


def _settled_statement(statement: Statement, leaf: str) -> Statement:
    match statement:
        case Goto(target="", reenter=True):
            return replace(statement, target=leaf)
        case When(branches=branches):
            return replace(statement, branches=tuple(_settled_branch(branch, leaf) for branch in branches))
        case _:
            return statement


def _settled_branch(branch: Branch, leaf: str) -> Branch:
    return replace(branch, body=_settled_body(branch.body, leaf))
