"""What every stage says of a program: one type for parse, type, flow, migration and drift."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from jetpackc.records import dataclass
from jetpackc.source import Span


class Severity(Enum):
    """How bad it is: an error stops the build, a warning does not (unless `--strict`)."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the registry: a code, its name, its severity, and its one-line meaning."""

    code: str
    name: str
    severity: Severity
    title: str


@dataclass(frozen=True, slots=True)
class Label:
    """A place and what is to be said of it: lower case, no full stop."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """An edit that mends the cause: replace `span` by `replacement`. `safe` ones may be applied unasked."""

    title: str
    span: Span
    replacement: str
    safe: bool = False


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding. `label` is the caret's text; `secondary` are other places that matter; `help` is the way out."""

    rule: Rule
    message: str
    span: Span | None
    label: str = ""
    secondary: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    help: str = ""
    fixes: tuple[Fix, ...] = ()

    @property
    def is_error(self) -> bool:
        """Whether it stops the build."""
        return self.rule.severity is Severity.ERROR


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """Whether any of them stops the build."""
    return any(diagnostic.is_error for diagnostic in diagnostics)
