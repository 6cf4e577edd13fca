"""What a workload is, and how large one is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from outcome import Figures, Outcome
from roster import Entry
from stand import Rig, Spent


@dataclass(frozen=True)
class Size:
    """How much is done: `share` of each contestant's own numbers; `seconds` of what goes on for a time; `live` and
    `kept` tasks to stand beside those of `scale`; `singles` and `paced` jobs that are made one by one."""

    share: float = 1.0
    seconds: float = 60.0
    live: int = 100_000
    kept: int = 300_000
    singles: int = 4_000
    paced: int = 500

    def of(self, count: int) -> int:
        """So many of a contestant's own number."""
        return max(64, int(count * self.share))


QUICK = Size(share=0.01, seconds=1.5, live=500, kept=500, singles=64, paced=10)
"""Shows that all of it works; its figures say nothing."""


@dataclass(frozen=True)
class Workload:
    """One thing to measure. `needs`: a contestant without that number has no part in it. `batched`: batches count in
    it, so that a contestant with another batch is another one. `alone`: for ours only. `shown`: the figures that the
    table shows."""

    name: str
    about: str
    measure: Callable[[Rig, Entry, Size], Outcome]
    shown: tuple[str, ...]
    needs: str = "jobs"
    batched: bool = True
    alone: bool = False

    def takes(self, entry: Entry, ours: str) -> bool:
        """Has this contestant a part in it."""
        if self.alone:
            return entry.name == ours
        return bool(getattr(entry, self.needs)) and (self.batched or entry.file == entry.name)


def spending(spent: Spent, jobs: int) -> Figures:
    """Processor time of the server in microseconds a job, bytes of log a job."""
    found = {"server us": 1e6 * spent.server / jobs, "log B": spent.wal / jobs}
    if spent.images is not None:
        found["log B, no images"] = (spent.wal - spent.images) / jobs
    return found
