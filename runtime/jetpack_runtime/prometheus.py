"""Metrics for Prometheus. Needs `prometheus_client`: pip install 'jetpack-runtime[prometheus]'. A `Health` serves them.

Every worker tells the queues of all machines that it works: across workers take `max`, not `sum`, of those gauges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder

from .depths import Depths
from .telemetry import SECONDS, Ended, Run, Telemetry


class Prometheus(Telemetry):
    """Counts in a registry of its own, or in yours.

    prometheus = Prometheus()
    worker = Worker(dsn, telemetry=[prometheus], health=Health(9090, metrics=prometheus.exposition))
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self._depths: Depths | None = None
        self._claimed = Counter(
            "jetpack_tasks_claimed", "Tasks that the worker has claimed.", ["machine"], registry=self.registry
        )
        self._seconds = Histogram(
            "jetpack_run_seconds",
            "How long handlers ran, by how they ended.",
            ["machine", "state", "outcome"],
            registry=self.registry,
            buckets=SECONDS,
        )
        queues: Any = _Queues(lambda: self._depths)
        self.registry.register(queues)

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """What a scrape with this `Accept` header gets, and its content type."""
        encode, kind = choose_encoder(accept)
        return encode(self.registry), kind

    def started(self, worker: str, depths: Depths) -> None:
        """See `Telemetry`."""
        self._depths = depths

    def stopped(self) -> None:
        """See `Telemetry`."""
        self._depths = None

    def claimed(self, machine: str, count: int) -> None:
        """See `Telemetry`."""
        self._claimed.labels(machine).inc(count)

    @contextmanager
    def running(self, run: Run) -> Iterator[Callable[[Ended], None]]:
        """See `Telemetry`."""
        yield lambda ended: self._seconds.labels(run.machine, run.state, ended.outcome).observe(ended.seconds)


class _Queues:
    """Asks the database when it is scraped."""

    def __init__(self, depths: Callable[[], Depths | None]) -> None:
        self._depths = depths

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Without a look at the database."""
        return _gauges()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """With one."""
        depth, oldest = _gauges()
        ask = self._depths()
        for one in ask() if ask is not None else ():
            for part in ("ready", "delayed", "running", "stuck"):
                depth.add_metric([one.machine, part], getattr(one, part))
            oldest.add_metric([one.machine], one.oldest)
        return depth, oldest


def _gauges() -> tuple[GaugeMetricFamily, GaugeMetricFamily]:
    return (
        GaugeMetricFamily(
            "jetpack_queue_depth", "Tasks of the whole database, by where they are.", labels=["machine", "queue"]
        ),
        GaugeMetricFamily(
            "jetpack_queue_oldest_seconds", "How long the first ready task has been due.", labels=["machine"]
        ),
    )
