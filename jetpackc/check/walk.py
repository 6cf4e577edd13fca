"""Walks over clauses of the IR: their arrows, what they read and what they set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from jetpackc.ir import model as ir

Arrow = ir.Goto | ir.Raise
Covers = Callable[[Sequence[ir.Expr]], bool]
"""Whether one of some guards is always true."""


def is_unguarded(clause: ir.Clause | ir.Branch) -> bool:
    """Whether the clause is always taken: it has no guard, or `true`."""
    return clause.guard is None or (isinstance(clause.guard, ir.Literal) and clause.guard.value is True)


def flatten(body: Iterable[ir.Statement]) -> Iterator[ir.Statement]:
    """Every statement of a block and of the blocks in it."""
    for statement in body:
        yield statement
        if isinstance(statement, ir.When):
            for branch in statement.branches:
                yield from flatten(branch.body)


def gotos(clauses: Iterable[ir.Clause]) -> Iterator[ir.Goto]:
    """Every `->` of some clauses."""
    for clause in clauses:
        yield from (statement for statement in flatten(clause.body) if isinstance(statement, ir.Goto))


def raises(clauses: Iterable[ir.Clause]) -> Iterator[ir.Raise]:
    """Every `raise` of some clauses."""
    for clause in clauses:
        yield from (statement for statement in flatten(clause.body) if isinstance(statement, ir.Raise))


def assigned(clauses: Iterable[ir.Clause]) -> set[str]:
    """The vars, and perhaps `attempts`, that some clauses may set."""
    statements = [statement for clause in clauses for statement in flatten(clause.body)]
    kept = {statement.alias for statement in statements if isinstance(statement, ir.Spawn) and statement.alias}
    return kept | {statement.name for statement in statements if isinstance(statement, ir.Set)}


def guarded_arrows(
    body: Iterable[ir.Statement], guards: tuple[ir.Expr, ...] = ()
) -> Iterator[tuple[Arrow, tuple[ir.Expr, ...]]]:
    """Every arrow of a block with the guards that decide on it: those around it, and those tried before it."""
    for statement in body:
        if isinstance(statement, ir.Goto | ir.Raise):
            yield statement, guards
        elif isinstance(statement, ir.When):
            for branch in statement.branches:
                guards = guards if branch.guard is None else (*guards, branch.guard)
                yield from guarded_arrows(branch.body, guards)


def always_moves(body: Iterable[ir.Statement], leaf: str, covers: Covers) -> bool:
    """Whether a block takes the task out of a leaf on every path: `->` another state, `raise`, or `fail`."""
    return any(_moves(statement, leaf, covers) for statement in body)


def _moves(statement: ir.Statement, leaf: str, covers: Covers) -> bool:
    match statement:
        case ir.Goto(target=target):
            return target != leaf
        case ir.Raise() | ir.Fail():
            return True
        case ir.When(branches=branches):
            return all(always_moves(branch.body, leaf, covers) for branch in branches) and is_whole(branches, covers)
        case _:
            return False


def is_whole(branches: Sequence[ir.Branch], covers: Covers) -> bool:
    """Whether one arm of a `when` is always taken."""
    return branches[-1].guard is None or covers([branch.guard for branch in branches if branch.guard is not None])


def way_out(clauses: Iterable[ir.Clause], leaf: str, covers: Covers) -> bool:
    """Whether a clause, or one of several whose guards leave nothing, is taken and takes the task out of the leaf."""
    moving = [clause for clause in clauses if always_moves(clause.body, leaf, covers)]
    guards = [clause.guard for clause in moving if clause.guard is not None]
    return any(map(is_unguarded, moving)) or (len(guards) > 1 and covers(guards))


def all_clauses(machine: ir.Machine) -> Iterator[ir.Clause]:
    """Every clause of a machine."""
    for state in machine.states:
        yield from (*state.on, *state.enter, *state.exit, *(timer.clause for timer in state.timers))
    yield from machine.on


def expressions(statement: ir.Statement) -> Iterator[ir.Expr]:
    """The expressions that stand in a statement itself, those of inner blocks left out."""
    match statement:
        case ir.Set(value=value):
            yield value
        case ir.Goto(delay=delay) if delay is not None:
            yield delay
        case ir.Fail(message=message):
            yield message
        case ir.Spawn(arguments=arguments, delay=delay, items=items):
            yield from (value for _, value in arguments)
            yield from (each for each in (delay, items) if each is not None)
        case ir.Send(arguments=arguments, to=to):
            yield from (value for _, value in arguments)
            yield from () if to is None else (to,)
        case ir.When(branches=branches):
            yield from (branch.guard for branch in branches if branch.guard is not None)
        case _:
            pass


def refs(expr: ir.Expr) -> Iterator[ir.Ref]:
    """Every name that an expression reads."""
    if isinstance(expr, ir.Ref):
        yield expr
    for part in parts(expr):
        yield from refs(part)


def parts(expr: ir.Expr) -> tuple[ir.Expr, ...]:
    """The expressions that an expression is made of."""
    match expr:
        case ir.Unary(operand=operand) | ir.IsNull(operand=operand) | ir.Cast(operand=operand):
            return (operand,)
        case ir.Binary(left=left, right=right):
            return (left, right)
        case ir.In(operand=operand, options=options):
            return (operand, *options)
        case ir.Access(operand=operand, key=key):
            return (operand, key)
        case ir.Call(arguments=found) | ir.Array(items=found):
            return found
        case ir.Literal() | ir.Ref() | ir.Tree():
            return ()


def is_constant(expr: ir.Expr) -> bool:
    """Whether an expression comes to the same in every task and at any time."""
    return not any(refs(expr)) and not any(map(_varies, _nodes(expr)))


def _varies(expr: ir.Expr) -> bool:
    return isinstance(expr, ir.Tree) or (isinstance(expr, ir.Call) and expr.function == "backoff")


def _nodes(expr: ir.Expr) -> Iterator[ir.Expr]:
    yield expr
    for part in parts(expr):
        yield from _nodes(part)
