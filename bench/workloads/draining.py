"""`drain`, `chain` and `fan`: what is there is worked until nothing is left."""

from __future__ import annotations

from bout import bout, handlers_of, numbers_of
from outcome import Figures, Outcome
from roster import Entry
from stand import Rig

from workloads.workload import Size, Workload, spending


def drain(rig: Rig, entry: Entry, size: Size) -> Outcome:
    """Jobs with a handler that does nothing, by one worker, then as many by two."""
    jobs = size.of(entry.jobs)
    one = _drained(rig, entry, "job", jobs, 1)
    two = _drained(rig, entry, "job", jobs, 2)
    return Outcome({**one, "jobs/s, 2 workers": two["jobs/s"], "server us, 2 workers": two["server us"]})


def chain(rig: Rig, entry: Entry, size: Size) -> Outcome:
    """Three handlers, one after the other."""
    return Outcome(_drained(rig, entry, "chain", size.of(entry.chains), 1))


def fan(rig: Rig, entry: Entry, size: Size) -> Outcome:
    """A handler that spreads to twenty jobs, and one when all of those are done."""
    return Outcome(_drained(rig, entry, "fan", size.of(entry.fans), 1))


def _drained(rig: Rig, entry: Entry, kind: str, jobs: int, workers: int) -> Figures:
    with bout(rig, entry) as found:
        found.expect(numbers_of(kind, jobs))
        found.produce("create", kind, jobs)
        found.settle()
        programs = [found.start("work", entry.batch, slot=slot) for slot in range(workers)]
        before = sum(program.cpu for program in programs)
        with rig.measure() as spent:
            for program in programs:
                program.go()
            end = found.wait(handlers_of(kind, jobs), programs)
            worker = sum(program.cpu for program in programs) - before
        found.check(kind, jobs)
        seconds = end - found.began
    return {f"{kind}s/s": jobs / seconds, "worker us": 1e6 * worker / jobs, **spending(spent, jobs)}


DRAIN = Workload(
    "drain",
    "jobs worked until nothing is left, by one worker and by two",
    drain,
    ("jobs/s", "jobs/s, 2 workers", "worker us", "server us", "server us, 2 workers", "log B", "log B, no images"),
)
CHAIN = Workload(
    "chain",
    "three steps, one after the other",
    chain,
    ("chains/s", "worker us", "server us", "log B", "log B, no images"),
    needs="chains",
)
FAN = Workload(
    "fan",
    "a step, twenty jobs, and a step when all of those are done",
    fan,
    ("fans/s", "worker us", "server us", "log B", "log B, no images"),
    needs="fans",
)
