"""`scale`: what a job takes beside many that wait for later and a long history, and what in an empty database."""

from __future__ import annotations

from bout import Bout, bout
from outcome import Figures, Outcome
from roster import Entry
from stand import Rig

from workloads.workload import Size, Workload


def scale(rig: Rig, entry: Entry, size: Size) -> Outcome:
    """Processor time of the server to make, claim and finish a job, in both."""
    jobs = size.of(entry.jobs)
    with bout(rig, entry) as found:
        empty = _cost(rig, found, jobs, begun=0)
    with bout(rig, entry) as found:
        found.produce("create", "later", size.live)
        found.produce("create", "job", size.kept)
        (worker,) = found.work()
        found.wait(size.kept, [worker])
        worker.end()
        found.settle("vacuum analyze")
        full = _cost(rig, found, jobs, begun=size.kept)
    return Outcome(
        {
            **{f"{what}, empty": cost for what, cost in empty.items()},
            **{f"{what}, full": cost for what, cost in full.items()},
            **{f"{what}, full of empty": full[what] / empty[what] for what in empty if empty[what]},
        }
    )


def _cost(rig: Rig, found: Bout, jobs: int, begun: int) -> Figures:
    found.settle()
    producer = found.start("create", "job", jobs)
    with rig.measure() as making:
        producer.go()
        producer.result()
    found.settle()
    worker = found.start("work", found.entry.batch, slot=1)
    with rig.measure() as working:
        worker.go()
        found.wait(begun + jobs, [worker])
    return {"make us": 1e6 * making.server / jobs, "work us": 1e6 * working.server / jobs}


SCALE = Workload(
    "scale",
    "processor time of the server a job, beside many that wait and a long history",
    scale,
    ("make us, empty", "make us, full", "work us, empty", "work us, full", "work us, full of empty"),
    needs="later",
)
