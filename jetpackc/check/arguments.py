"""Which argument goes to which param, for a call of a function and for `spawn`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import field

from jetpackc.check.report import Report, listed
from jetpackc.diagnostics.model import Fix, Label
from jetpackc.diagnostics.rules import expansion, types as rules
from jetpackc.records import dataclass
from jetpackc.source import Span
from jetpackc.syntax import ast


@dataclass(frozen=True, slots=True)
class Callee:
    """What is called, and from where. `params` says of each param whether it may be left out.

    `declared` is the place of its declaration, where a reader can look it up, `places` those of its params. `at_hand`
    are the params for which a value of the same name and a fitting type is known where the call stands.
    """

    name: str
    params: Mapping[str, bool]
    span: Span
    declared: Span | None = None
    places: Mapping[str, Span] = field(default_factory=dict)
    at_hand: Collection[str] = ()

    @property
    def declaration(self) -> list[Label]:
        """The label that shows the declaration."""
        return [Label(self.declared, "declared here")] if self.declared is not None else []

    @property
    def takes(self) -> str:
        """The params as a sentence."""
        return f"`{self.name}` takes {listed([*self.params], 'and')}" if self.params else f"`{self.name}` takes none"


@dataclass(frozen=True, slots=True)
class Matched:
    """The arguments by param, in the order of the params; not `complete` when some did not match, which is reported."""

    given: Mapping[str, ast.Expr]
    complete: bool


def match(callee: Callee, arguments: Sequence[ast.Argument], report: Report) -> Matched:
    """Give each argument to its param."""
    given: dict[str, ast.Argument] = {}
    positions = [*callee.params]
    complete = True
    for index, argument in enumerate(arguments):
        position = positions[index] if index < len(positions) else None
        name = _param(callee, argument, position, given, report)
        complete = complete and name is not None
        if name is not None:
            given[name] = argument
    complete = complete and not _is_missing_some(callee, given, report)
    return Matched({name: given[name].value for name in positions if name in given}, complete)


def _param(
    callee: Callee, argument: ast.Argument, position: str | None, given: Mapping[str, ast.Argument], report: Report
) -> str | None:
    """The param an argument is for; None, and a finding, when there is none."""
    if argument.upper is not None:
        report.add(expansion.MISPLACED_RANGE, "a range where one value is expected", argument.span, "a range")
        return None
    if argument.name is None:
        return _positional(callee, argument, position, given, report)
    name = argument.name.text
    if name not in callee.params:
        span = argument.name.span
        report.unknown(rules.UNKNOWN_ARGUMENT, "argument", name, span, callee.params, help=callee.takes)
        return None
    if name in given:
        first = Label(given[name].span, "first given here")
        message = f"`{name}` is given twice"
        report.add(rules.DUPLICATE_ARGUMENT, message, argument.span, "given again", secondary=[first])
        return None
    return name


def _positional(
    callee: Callee, argument: ast.Argument, position: str | None, given: Mapping[str, ast.Argument], report: Report
) -> str | None:
    if any(other.name is not None for other in given.values()):
        message = "an unnamed argument behind a named one"
        report.add(rules.POSITIONAL_AFTER_NAMED, message, argument.span, "give it its name")
        return None
    if position is None:
        message = f"too many arguments for `{callee.name}`"
        report.add(
            rules.EXTRA_ARGUMENT,
            message,
            argument.span,
            "nothing takes this",
            secondary=callee.declaration,
            help=callee.takes,
        )
    return position


def _is_missing_some(callee: Callee, given: Mapping[str, ast.Argument], report: Report) -> bool:
    missing = [name for name, optional in callee.params.items() if not optional and name not in given]
    if missing:
        shown = callee.declaration or [
            Label(callee.places[name], "declared here") for name in missing if name in callee.places
        ]
        what = "argument" if len(missing) == 1 else "arguments"
        message = f"`{callee.name}` is missing the {what} {listed(missing, 'and')}"
        report.add(
            rules.MISSING_ARGUMENT,
            message,
            callee.span,
            "not given here",
            secondary=shown,
            help=callee.takes,
            fixes=_given(missing, callee, given),
        )
    return bool(missing)


def _given(missing: Sequence[str], callee: Callee, given: Mapping[str, ast.Argument]) -> tuple[Fix, ...]:
    """The missing arguments behind the last one, where values of their names are at hand."""
    if not given or not set(missing) <= set(callee.at_hand):
        return ()
    last = max((argument.span for argument in given.values()), key=lambda span: span.end)
    place = Span(last.path, last.end, last.end, last.line, last.column + last.end - last.start)
    written = ", ".join(f"{name}: {name}" for name in missing)
    return (Fix(f"give it `{written}`", place, f", {written}"),) if last in callee.span else ()
