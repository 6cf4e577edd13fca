"""Where the checker's findings are gathered."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from jetpackc.diagnostics.model import Diagnostic, Fix, Label, Rule
from jetpackc.diagnostics.render.order import in_order
from jetpackc.diagnostics.rules import syntax
from jetpackc.diagnostics.suggest import CONFUSED, did_you_mean, is_known
from jetpackc.source import Span

MOST_COMPARISONS = 200_000
"""How many pairs of names one report looks at for what was meant; a second, and more than any file by hand asks for."""


class Report:
    """Findings, each once: a template that many machines use would else repeat its own."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, Span | None, str], Diagnostic] = {}
        self.log: list[Rule] = []
        """The rules that were broken, in the order of time and with repetitions."""
        self._comparisons = 0

    def add(
        self,
        rule: Rule,
        message: str,
        span: Span,
        label: str = "",
        *,
        secondary: Sequence[Label] = (),
        notes: Sequence[str] = (),
        help: str = "",
        fixes: Sequence[Fix] = (),
    ) -> None:
        """Record one finding."""
        self.take(Diagnostic(rule, message, span, label, tuple(secondary), tuple(notes), help, tuple(fixes)))

    def take(self, found: Diagnostic) -> None:
        """Record what another report found."""
        self.log.append(found.rule)
        self._found.setdefault((found.rule.code, found.span, found.message), found)

    def unknown(
        self,
        rule: Rule,
        what: str,
        name: str,
        span: Span,
        candidates: Collection[str],
        *,
        help: str = "",
        words: Collection[str] = (),
        declared: Mapping[str, Span] | None = None,
    ) -> None:
        """Record a name that stands for nothing, with the candidate that was likely meant; else `help`.

        `words` are no candidates by their spelling, but may be what another language means by the name. `declared` are
        the places of candidates.
        """
        known = CONFUSED.get(name.lower())
        near = known if known in words else self._near(name, candidates)
        fixes = (Fix(f"change to `{near}`", span, near, safe=is_known(name, near)),) if near else ()
        label = f"did you mean `{near}`?" if near else f"no such {what}"
        where = [Label(declared[near], "declared here")] if near and declared and near in declared else []
        message, help = f"unknown {what} `{name}`", "" if near else help
        self.add(rule, message, span, label, secondary=where, help=help, fixes=fixes)

    def _near(self, name: str, candidates: Collection[str]) -> str | None:
        """The likely one, as long as it can be had: thousands of unknown names among thousands would take minutes."""
        self._comparisons += len(candidates)
        return did_you_mean(name, candidates) if self._comparisons <= MOST_COMPARISONS else None

    def unsupported(self, what: str, span: Span) -> None:
        """Record a part of the language that is not compiled yet. `what` is its subject: "`defer`", "an import"."""
        self.add(syntax.NOT_SUPPORTED_YET, f"{what} is not supported yet", span, "not compiled by this version")

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """What was found, in the order of the source."""
        return tuple(in_order(self._found.values()))


def listed(names: Collection[str], word: str = "or") -> str:
    """Names as prose: "`a`, `b` or `c`"."""
    *front, last = [f"`{name}`" for name in names]
    return f"{', '.join(front)} {word} {last}" if front else last
