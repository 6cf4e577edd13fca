"""What was measured: figures and series, by workload and contestant, one of each a round."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median

Figures = dict[str, float]
"""One measurement: its figures by name, with their unit."""
Series = dict[str, list[float]]
"""What is drawn: seconds, and values at those."""


@dataclass
class Outcome:
    """One contestant's turn at one workload."""

    figures: Figures
    series: Series = field(default_factory=dict)


@dataclass
class Results:
    """All turns, and what went wrong."""

    turns: dict[str, dict[str, list[Outcome]]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def add(self, workload: str, contestant: str, outcome: Outcome) -> None:
        """Keep one."""
        self.turns.setdefault(workload, {}).setdefault(contestant, []).append(outcome)

    def median(self, workload: str, contestant: str, figure: str) -> float | None:
        """The middle one of the rounds; None where it was not measured."""
        found = [turn.figures[figure] for turn in self._turns(workload, contestant) if figure in turn.figures]
        return median(found) if found else None

    def ratio(self, workload: str, contestant: str, other: str, figure: str) -> float | None:
        """The middle one of the ratios within a round, which a machine that is busy by turns disturbs less."""
        pairs = zip(self._turns(workload, contestant), self._turns(workload, other), strict=False)
        found = [
            mine.figures[figure] / theirs.figures[figure]
            for mine, theirs in pairs
            if figure in mine.figures and theirs.figures.get(figure)
        ]
        return median(found) if found else None

    def _turns(self, workload: str, contestant: str) -> list[Outcome]:
        return self.turns.get(workload, {}).get(contestant, [])
