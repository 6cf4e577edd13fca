"""Faults that strike again and again while a load runs: each with a seed, which makes the same choices again.

found = play("killed", seed=3, seconds=5.0)
assert found.mistakes == []
"""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep

import psycopg
from load import Load
from pooler import PROGRAM, Pooler, pooler
from rig import await_end, database, server, worker

from jetpackc.postgres import Server

PROGRAMS = 3
"""Workers at a time."""
FAKETIME = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
"""Where Debian keeps the library that fakes a process's clock."""

REFUSE = """
create or replace function f.full() returns trigger language plpgsql as $$
begin
  raise exception using message = 'could not extend file: No space left on device', errcode = '53100';
end $$;
create trigger full before insert on f._job_hops for each statement execute function f.full();
"""


@dataclass
class Scene:
    """What a fault strikes at."""

    server: Server
    load: Load
    dice: random.Random
    stack: ExitStack
    environment: Mapping[str, str]
    clock: Path
    pooler: Pooler | None
    room: Path | None
    lease: float
    quiet: bool
    mistakes: list[str] = field(default_factory=list)
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def way(self) -> str | None:
        """How callers reach the database, where that is not straight."""
        return self.pooler.dsn(self.load.dsn) if self.pooler else None

    def hire(self) -> None:
        """One more worker."""
        one = worker(self.way or self.load.dsn, self.environment, lease=self.lease, quiet=self.quiet)
        self.workers.append(self.stack.enter_context(one))

    def await_workers(self, number: int) -> None:
        """Wait until so many have begun: one that finds no database at its start gives up, as it should."""
        while self.registered() < number:
            sleep(0.02)  # they tell nobody else

    def registered(self) -> int:
        """How many have begun so far, those that are gone by now too."""
        with psycopg.connect(self.load.dsn) as connection:
            row = connection.execute("select count(*) from jet.worker").fetchone()
        return row[0] if row else 0

    def one(self) -> subprocess.Popen[bytes]:
        """Some worker."""
        return self.dice.choice(self.workers)

    def say(self, query: str) -> None:
        """A statement of ours; what the fault does to it is no matter."""
        with suppress(psycopg.Error), psycopg.connect(self.load.dsn, autocommit=True) as connection:
            connection.execute(query.encode())


def kill(scene: Scene) -> None:
    """A worker dies by SIGKILL, another one takes its place."""
    victim = scene.one()
    victim.kill()
    victim.wait()
    scene.workers.remove(victim)
    scene.hire()


def roll(scene: Scene) -> None:
    """A worker is replaced in order: a new one begins, then the old one is told to stop."""
    begun = scene.registered()
    scene.hire()
    scene.await_workers(begun + 1)
    leaving = scene.workers.pop(0)
    leaving.terminate()
    if code := leaving.wait(30):
        scene.mistakes.append(f"a worker that was told to stop ended with {code}")


def drop_pooler(scene: Scene) -> None:
    """The pooler dies with all connections that go through it, and comes back."""
    assert scene.pooler is not None
    scene.pooler.stop()
    scene.pooler.start()


def pause(scene: Scene) -> None:
    """A worker stands still for longer than its lease, then goes on as if nothing had happened."""
    victim = scene.one()
    victim.send_signal(signal.SIGSTOP)
    sleep(scene.lease * scene.dice.uniform(1.2, 2.0))
    victim.send_signal(signal.SIGCONT)


def skew(scene: Scene) -> None:
    """The clocks of all workers jump by up to ten minutes, either way."""
    _set_clock(scene.clock, scene.dice.uniform(-600, 600))


def restart(scene: Scene) -> None:
    """Postgres is shut down at once, as by a crash, and recovers."""
    scene.server.restart("immediate")


def terminate(scene: Scene) -> None:
    """One session is ended by the server: a worker's, or a client's."""
    scene.say(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()"
        " and pid <> pg_backend_pid() and backend_type = 'client backend' order by random() limit 1"
    )


def crowd(scene: Scene) -> None:
    """Others take every connection that there is, those of the workers, too, and keep them for a while."""
    with ExitStack() as stack, suppress(psycopg.Error):
        ours = stack.enter_context(psycopg.connect(scene.load.dsn, autocommit=True))
        for _ in range(200):
            ours.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and application_name like 'jetpack%' limit 2"
            )
            with suppress(psycopg.Error):
                stack.enter_context(psycopg.connect(scene.server.dsn()))
        sleep(0.3)


def fill(scene: Scene) -> None:
    """The disk that the tables are on is full for a while; the server says so, where no disk could be made for this."""
    if scene.room is None:
        scene.say(REFUSE)
        sleep(scene.dice.uniform(0.2, 0.5))
        scene.say("drop trigger full on f._job_hops")
        return
    ballast = scene.room / "ballast"
    with suppress(OSError), ballast.open("wb") as file:
        while True:
            file.write(bytes(65536))
    sleep(scene.dice.uniform(0.2, 0.5))
    ballast.unlink()


@dataclass(frozen=True)
class Fault:
    """How a fault strikes. `pauses`: seconds from one strike to the next, at least and at most, in a short run and in
    a long one."""

    strike: Callable[[Scene], None]
    pauses: tuple[float, float]
    long_pauses: tuple[float, float]
    settings: Mapping[str, str] = field(default_factory=dict)
    on_small_disk: bool = False
    at_skewed_clocks: bool = False
    behind_pooler: bool = False
    unnoticed: bool = False
    """No caller sees an error, and no task is begun twice."""


FAULTS = {
    "killed": Fault(kill, (0.3, 0.8), (1.5, 2.5)),
    "rolled": Fault(roll, (0.3, 0.8), (1.0, 3.0), unnoticed=True),
    "paused": Fault(pause, (0.0, 0.2), (0.0, 1.0)),
    "skewed": Fault(skew, (0.1, 0.4), (1.0, 5.0), at_skewed_clocks=True),
    "restarted": Fault(restart, (0.5, 1.0), (5.0, 40.0)),
    "terminated": Fault(terminate, (0.2, 0.2), (0.2, 0.2)),
    "crowded": Fault(crowd, (0.3, 0.8), (1.0, 3.0), {"superuser_reserved_connections": "0"}),
    "full": Fault(fill, (0.2, 0.5), (0.5, 3.0), on_small_disk=True),
}
if PROGRAM:
    FAULTS["pooled"] = Fault(drop_pooler, (0.5, 1.0), (2.0, 10.0), behind_pooler=True)


@dataclass(frozen=True)
class Found:
    """What a run came to."""

    fault: str
    seed: int
    tasks: int
    strikes: int
    repeated: int
    """Calls of the producer that were cut off, and made again."""
    seconds: float
    mistakes: list[str]


def play(name: str, seed: int, seconds: float, *, scale: float = 1.0, pg: int = 18, long: bool = False) -> Found:
    """One load under one fault, which strikes for so many seconds while tasks are made and worked; then peace, until
    all is done. Raises AssertionError where it never is."""
    fault, begun = FAULTS[name], monotonic()
    with ExitStack() as stack:
        scene = _set_up(stack, fault, seed, scale, pg, long=long)
        pauses = fault.long_pauses if long else fault.pauses
        producer = threading.Thread(target=scene.load.begin, args=(scene.way, seconds * 0.8))
        producer.start()
        strikes, end = 0, monotonic() + seconds
        while (pause := scene.dice.uniform(*pauses)) < end - monotonic():
            sleep(pause)
            fault.strike(scene)
            strikes += 1
        producer.join()
        await_end(scene.load)
        dead = [worker.returncode for worker in scene.workers if worker.poll() is not None]
        mistakes = scene.mistakes + scene.load.mistakes() + [f"a worker has ended, with {code}" for code in dead]
        mistakes += scene.load.notices() if fault.unnoticed else []
        load = scene.load
    return Found(name, seed, load.total, strikes, load.repeated, round(monotonic() - begun, 1), mistakes)


def _set_up(stack: ExitStack, fault: Fault, seed: int, scale: float, pg: int, *, long: bool) -> Scene:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jetpack-storm-")))
    folder.chmod(0o755)
    found = stack.enter_context(server(pg, **fault.settings))
    room = stack.enter_context(_small_disk(found)) if fault.on_small_disk else None
    dsn = stack.enter_context(database(found, tablespace="small" if room else "pg_default"))
    clock = folder / "clock"
    _set_clock(clock, 0)
    before = stack.enter_context(pooler(found, folder / "pooler")) if fault.behind_pooler else None
    environment = _skewed(clock) if fault.at_skewed_clocks else {"POOLED": "1"} if before else {}
    load, lease = Load(dsn, seed, scale), 3.0 if long else 1.0
    scene = Scene(found, load, random.Random(seed), stack, environment, clock, before, room, lease, quiet=long)
    for _ in range(PROGRAMS):
        scene.hire()
    scene.await_workers(PROGRAMS)
    return scene


def _set_clock(clock: Path, seconds: float) -> None:
    clock.write_text(f"{seconds:+.3f}\n")


def _skewed(clock: Path) -> dict[str, str]:
    """The environment of a process whose clock is off by what stands in a file, from moment to moment. Without
    libfaketime that is the clock of its Python alone: see worker_process.py."""
    if not FAKETIME:
        return {"CLOCK_OFF_BY": str(clock)}
    return {
        "LD_PRELOAD": str(FAKETIME[0]),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


@contextmanager
def _small_disk(found: Server) -> Iterator[Path | None]:
    """A tablespace `small` on a disk of its own, in memory; where it is mounted. None for who may not mount one."""
    room = Path(tempfile.mkdtemp(prefix="jetpack-disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", "size=48m,mode=755", "tmpfs", str(room)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        room.rmdir()
        yield None
        return
    try:
        place = room / "data"
        place.mkdir()
        shutil.chown(place, found.data.owner(), found.data.group())
        with psycopg.connect(found.dsn(), autocommit=True) as admin:
            admin.execute(f"create tablespace small location '{place}'".encode())
        yield room
    finally:
        found.stop("immediate")
        subprocess.run(["umount", room], check=True)
        room.rmdir()
