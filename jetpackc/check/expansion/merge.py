"""Merging a machine with its template: state by state, the machine's own first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from jetpackc.check.report import Report
from jetpackc.diagnostics.model import Label
from jetpackc.diagnostics.rules import expansion as rules
from jetpackc.records import replace
from jetpackc.syntax import ast

Member = ast.MachineMember | ast.StateMember


def one_name_each(members: Iterable[Member]) -> list[Member]:
    """The members, with `state a, b { … }` as two states."""
    found: list[Member] = []
    for member in members:
        if isinstance(member, ast.State):
            inner = tuple(one_name_each(member.members))
            if len(member.names) == 1 and inner == member.members:
                found.append(member)
                continue
            found += [replace(member, names=(name,), members=inner) for name in member.names]  # type: ignore[arg-type]
        else:
            found.append(member)
    return found


def merge(own: Sequence[Member], base: Sequence[Member], report: Report) -> list[Member]:
    """The machine's own vars and clauses, which come first, the template's states extended, then the states it adds."""
    states = {member.names[0].text: member for member in own if isinstance(member, ast.State)}
    bases = {member.names[0].text for member in base if isinstance(member, ast.State)}
    merged: list[Member] = [member for member in own if not isinstance(member, ast.State)]
    singles = tuple(type(member) for member in merged if isinstance(member, ast.Priority | ast.Fair))
    kept = {member.what.text for member in merged if isinstance(member, ast.Keep)}
    below = [
        member
        for member in base
        if not isinstance(member, singles) and not (isinstance(member, ast.Keep) and member.what.text in kept)
    ]
    for member in unshadowed(merged, below):
        if isinstance(member, ast.State) and member.names[0].text in states:
            merged.append(_state(states[member.names[0].text], member, report))
        else:
            merged.append(replace(member, inherited=True) if isinstance(member, ast.State) else member)
    first: set[str] = set()
    for member in own:
        if isinstance(member, ast.State):
            name = member.names[0].text
            if name not in bases or name in first:
                merged.append(member)  # a state written twice stays twice: the checker says so
            first.add(name)
    return merged


def _state(own: ast.State, base: ast.State, report: Report) -> ast.State:
    kinds = base.kinds
    if own.kinds and set(own.kinds) != set(base.kinds):
        name = own.names[0]
        described = " ".join([*base.kinds, "state"]) if base.kinds else "plain state"
        wanted = " ".join([*own.kinds, "state"])
        message = f"the template makes `{name.text}` {_with_article(described)}, the machine {_with_article(wanted)}"
        label = Label(base.names[0].span, "from this template")
        help = "leave the word out to extend the state as it is, or give yours another name"
        report.add(rules.MERGE_CONFLICT, message, name.span, "cannot be both", secondary=[label], help=help)
    return replace(own, kinds=kinds, members=_members(own, base, report), doc=own.doc or base.doc)


def _with_article(text: str) -> str:
    return f"{'an' if text.startswith('initial') else 'a'} {text}"


def _members(own: ast.State, base: ast.State, report: Report) -> tuple[ast.StateMember, ...]:
    """Own clauses, then the template's that they leave something to do for; `run`, `timeout` and the result replace."""
    singles = tuple(type(member) for member in own.members if isinstance(member, ast.Run | ast.Timeout | ast.Result))
    inner_own = [member for member in own.members if isinstance(member, ast.State)]
    inner_base = [member for member in base.members if isinstance(member, ast.State)]
    inner = merge(inner_own, inner_base, report)
    plain_own = [member for member in own.members if not isinstance(member, ast.State)]
    plain_base = [member for member in base.members if not isinstance(member, (ast.State, *singles))]
    return (*plain_own, *unshadowed(plain_own, plain_base), *inner)  # type: ignore[arg-type]


def unshadowed(own: Sequence[Member], base: Sequence[Member]) -> list[Member]:
    """Of the template's clauses, those that can still be reached behind the machine's own."""
    unguarded = [member for member in own if isinstance(member, ast.On) and member.clause.guard is None]
    taken = {event.text for member in unguarded for event in member.events}
    moved = any(isinstance(member, ast.Enter) and _always_moves(member.clause) for member in own)
    found: list[Member] = []
    for member in base:
        if isinstance(member, ast.On):
            events = tuple(event for event in member.events if event.text not in taken)
            if events:
                found.append(replace(member, events=events))
        elif not (moved and isinstance(member, ast.Enter)):
            found.append(member)
    return found


def _always_moves(clause: ast.Clause) -> bool:
    return clause.guard is None and (clause.target is not None or _moves(clause.body))


def _moves(body: tuple[ast.Statement, ...]) -> bool:
    """Whether every way through a block ends in an arrow."""
    return any(
        isinstance(one, ast.Goto | ast.Raise | ast.Fail)
        or (
            isinstance(one, ast.When)
            and one.branches[-1].guard is None
            and all(_moves(arm.body) for arm in one.branches)
        )
        for one in body
    )
