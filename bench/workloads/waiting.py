"""`latency`: how long an idle worker takes to begin with a job, at 50 jobs a second."""

from __future__ import annotations

import struct
import time

from bout import bout
from outcome import Outcome
from roster import Entry
from stand import Rig

from workloads.workload import Size, Workload, spending

GAP = 20.0
"""Milliseconds between two jobs."""
IDLE = 1.5
"""Seconds until a worker that has started is idle."""


def latency(rig: Rig, entry: Entry, size: Size) -> Outcome:
    """From the answer to the create to the begin of the handler. Less than nothing where the handler was first."""
    with bout(rig, entry) as found:
        found.expect(size.paced)
        starts, acks = found.time_starts(size.paced)
        producer = found.start("paced", size.paced, GAP)
        (worker,) = found.work()
        time.sleep(IDLE)
        before = worker.cpu
        with rig.measure() as spent:
            producer.go()
            made = producer.result()
            found.wait(size.paced, [worker])
        cpu = worker.cpu - before
        found.check("job", size.paced)
        form = f"<{size.paced}d"
        pairs = zip(struct.unpack(form, starts), struct.unpack(form, acks), strict=True)
        waits = sorted(1000 * (start - ack) for start, ack in pairs)
    cpu_of = {"worker us": 1e6 * cpu / size.paced, "client us": 1e6 * made.cpu / size.paced}
    quantiles = {f"p{per}": waits[min(len(waits) - 1, len(waits) * per // 100)] for per in (50, 95, 99)}
    return Outcome(
        {**{f"{name} ms": wait for name, wait in quantiles.items()}, **cpu_of, **spending(spent, size.paced)}
    )


LATENCY = Workload(
    "latency",
    "from the commit of a create to the begin of its handler, while the worker is idle; 50 jobs a second",
    latency,
    ("p50 ms", "p95 ms", "p99 ms", "client us", "worker us", "server us"),
    batched=False,
)
