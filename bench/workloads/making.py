"""`bulk` and `single`: jobs are made, many at a time, and one by one."""

from __future__ import annotations

from bout import Bout, BoutError, bout
from outcome import Outcome
from roster import Entry
from stand import Rig

from workloads.workload import Size, Workload, spending

CLIENTS = 16


def bulk(rig: Rig, entry: Entry, size: Size) -> Outcome:
    """One client makes them as fast as this contestant can."""
    jobs = size.of(entry.jobs)
    with bout(rig, entry) as found:
        found.settle()
        program = found.start("create", "job", jobs)
        with rig.measure() as spent:
            program.go()
            made = program.result()
        _check(found, jobs)
    client = 1e6 * made.cpu / jobs
    return Outcome({"jobs/s": jobs / (made.end - made.begin), "client us": client, **spending(spent, jobs)})


def single(rig: Rig, entry: Entry, size: Size) -> Outcome:
    """One commit each; by one client, and by sixteen programs at once."""
    one = _single(rig, entry, size.singles, 1)
    many = _single(rig, entry, size.singles * 2, CLIENTS)
    many = {f"{name}, {CLIENTS} clients": value for name, value in many.items()}
    return Outcome({**one, **many})


def _single(rig: Rig, entry: Entry, jobs: int, clients: int) -> dict[str, float]:
    share = jobs // clients
    with bout(rig, entry) as found:
        found.settle()
        programs = [found.start("single", share * at, share) for at in range(clients)]
        with rig.measure() as spent:
            for program in programs:
                program.go()
            made = [program.result() for program in programs]
        _check(found, share * clients)
    seconds = max(one.end for one in made) - min(one.begin for one in made)
    client = 1e6 * sum(one.cpu for one in made) / jobs
    return {"jobs/s": share * clients / seconds, "client us": client, **spending(spent, jobs)}


def _check(found: Bout, jobs: int) -> None:
    left = found.one(found.entry.left)
    if left != jobs:
        raise BoutError(f"{left} jobs are there, not {jobs}")


BULK = Workload(
    "bulk",
    "jobs made many at a time, by one client",
    bulk,
    ("jobs/s", "client us", "server us", "log B", "log B, no images"),
    batched=False,
)
SINGLE = Workload(
    "single",
    "jobs made one by one, each committed",
    single,
    ("jobs/s", "jobs/s, 16 clients", "client us", "server us", "server us, 16 clients", "log B, no images"),
    batched=False,
)
