"""What is aimed at, and whether it is reached: ratios of two figures of one run."""

from __future__ import annotations

from dataclasses import dataclass

from outcome import Results
from roster import FLOOR, OURS


@dataclass(frozen=True)
class Target:
    """`figure` of ours is to be at least, or at most, `bound` times that of contestant `of`; without `of` it is a ratio
    itself."""

    workload: str
    figure: str
    bound: float
    of: str | None = FLOOR
    at_most: bool = False

    def reached(self, results: Results) -> float | None:
        """The ratio, if it was measured."""
        if self.of is None:
            return results.median(self.workload, OURS, self.figure)
        return results.ratio(self.workload, OURS, self.of, self.figure)

    def is_met(self, ratio: float) -> bool:
        """Is this ratio good enough."""
        return ratio <= self.bound if self.at_most else ratio >= self.bound

    @property
    def aim(self) -> str:
        """`at least 0.8 of floor-history`."""
        of = f" of {self.of}" if self.of else ""
        return f"at {'most' if self.at_most else 'least'} {self.bound:g}{of}"


TARGETS = (
    Target("single", "jobs/s", 0.8),
    Target("single", "jobs/s, 16 clients", 0.8),
    Target("bulk", "jobs/s", 0.6),
    Target("drain", "jobs/s", 0.8),
    Target("drain", "jobs/s", 0.8, of=f"{FLOOR}@500"),
    Target("drain", "jobs/s", 1.3, of="graphile-worker"),
    Target("drain", "jobs/s, 2 workers", 0.8),
    Target("drain", "jobs/s, 2 workers", 0.8, of=f"{FLOOR}@500"),
    Target("drain", "log B, no images", 1.0, at_most=True),
    Target("bulk", "log B, no images", 1.0, at_most=True),
    Target("chain", "chains/s", 1.0),
    Target("fan", "fans/s", 1.0),
    Target("latency", "p50 ms", 2.0, at_most=True),
    Target("latency", "p99 ms", 4.0, at_most=True),
    Target("steady", "last of first", 0.9, of=None),
    Target("snapshot", "held of clean", 0.8, of=None),
    Target("snapshot", "after of clean", 0.95, of=None),
    Target("snapshot", "claim p99, held of clean", 2.0, of=None, at_most=True),
    Target("scale", "make us, full of empty", 1.2, of=None, at_most=True),
    Target("scale", "work us, full of empty", 1.2, of=None, at_most=True),
    Target("memory", "last of second", 1.05, of=None, at_most=True),
)


def judged(results: Results) -> list[tuple[Target, float]]:
    """The targets that this run can tell about, each with the ratio."""
    found = ((target, target.reached(results)) for target in TARGETS)
    return [(target, ratio) for target, ratio in found if ratio is not None]
