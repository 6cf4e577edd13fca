"""Traces and metrics for OpenTelemetry. Needs `opentelemetry-api`: pip install 'jetpack-runtime[otel]'. Where they go
is up to the SDK that the program sets up; without one, nothing goes anywhere.

Names follow the semantic conventions for messaging, where those have one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import context, metrics, propagate, trace
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode

from .depths import Depth, Depths
from .jobs import Origin
from .telemetry import SECONDS, Call, Ended, Run, Telemetry

SYSTEM = "jetpack"

Attributes = dict[str, str | int]
Values = Callable[[Depth], Iterable[tuple[str, float]]]


class OpenTelemetry(Telemetry):
    """Give one to clients and workers: `Client(dsn, telemetry=OpenTelemetry())`.

    A client's create and send are producer spans, a handler's run is a consumer span: a child of the last create or
    send that led to it, linked to the create where that is another. Providers are the global ones if not given.
    """

    wants_origins = True

    def __init__(
        self, tracers: trace.TracerProvider | None = None, meters: metrics.MeterProvider | None = None
    ) -> None:
        self._tracer = trace.get_tracer("jetpack_runtime", tracer_provider=tracers)
        meter = metrics.get_meter("jetpack_runtime", meter_provider=meters)
        self._depths: Depths | None = None
        self._claimed = meter.create_counter(
            "messaging.client.consumed.messages", "{message}", "tasks that the worker has claimed"
        )
        self._seconds = meter.create_histogram(
            "messaging.process.duration",
            "s",
            "how long handlers ran, by how they ended",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        for name, unit, description, values in _GAUGES:
            meter.create_observable_gauge(name, [self._gauge(values)], unit, description)

    def started(self, worker: str, depths: Depths) -> None:
        """See `Telemetry`."""
        self._depths = depths

    def stopped(self) -> None:
        """See `Telemetry`."""
        self._depths = None

    def claimed(self, machine: str, count: int) -> None:
        """See `Telemetry`."""
        self._claimed.add(count, _attributes("process", machine))

    @contextmanager
    def running(self, run: Run) -> Iterator[Callable[[Ended], None]]:
        """See `Telemetry`."""
        labels = {**_attributes("process", run.machine), "jetpack.state": run.state}
        parent, links = _lineage(run.origin)
        with self._tracer.start_as_current_span(
            f"process {run.machine}.{run.state}",
            parent,
            SpanKind.CONSUMER,
            {**labels, **_own(run)},
            links,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:

            def end(ended: Ended) -> None:
                outcome = _outcome(ended)
                self._seconds.record(ended.seconds, {**labels, **outcome})
                span.set_attributes(outcome)
                if ended.error is not None:
                    _fail(span, ended.error)

            yield end

    @contextmanager
    def calling(self, call: str, machine: str, count: int) -> Iterator[Call]:
        """See `Telemetry`."""
        attributes = _attributes("create" if call.startswith("create") else "send", machine)
        attributes["messaging.operation.name"] = call
        if count > 1:
            attributes["messaging.batch.message_count"] = count
        with self._tracer.start_as_current_span(
            f"{call} {machine}", kind=SpanKind.PRODUCER, attributes=attributes
        ) as span:
            carrier: dict[str, str] = {}
            propagate.inject(carrier)
            yield Call(carrier, lambda task: span.set_attribute("messaging.message.id", str(task)))

    def _gauge(self, values: Values) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_: CallbackOptions) -> Iterable[Observation]:
            for depth in self._depths() if self._depths is not None else ():
                base = {"messaging.system": SYSTEM, "messaging.destination.name": depth.machine}
                for part, value in values(depth):
                    yield Observation(value, {**base, "jetpack.queue": part} if part else base)

        return observe


def current_trace() -> dict[str, str]:
    """The ids of the span that is open here, for logs; empty where none is."""
    here = trace.get_current_span().get_span_context()
    if not here.is_valid:
        return {}
    return {"trace_id": trace.format_trace_id(here.trace_id), "span_id": trace.format_span_id(here.span_id)}


def _parts(depth: Depth) -> Iterable[tuple[str, float]]:
    return [(part, getattr(depth, part)) for part in ("ready", "delayed", "running", "stuck")]


def _oldest(depth: Depth) -> Iterable[tuple[str, float]]:
    return [("", depth.oldest)]


_GAUGES = (
    ("jetpack.queue.depth", "{task}", "tasks that are ready, delayed, running or stuck", _parts),
    ("jetpack.queue.oldest", "s", "how long the first ready task has been due", _oldest),
)


def _attributes(operation: str, machine: str) -> Attributes:
    return {
        "messaging.system": SYSTEM,
        "messaging.operation.type": operation,
        "messaging.operation.name": operation,
        "messaging.destination.name": machine,
    }


def _own(run: Run) -> Attributes:
    return {"messaging.message.id": str(run.task), "jetpack.attempt": run.attempt, "jetpack.worker": run.worker}


def _outcome(ended: Ended) -> Attributes:
    found: Attributes = {"jetpack.outcome": ended.outcome}
    if ended.error is not None:
        found["error.type"] = ended.error.get("type", "_OTHER")
    return found


def _fail(span: Span, error: Mapping[str, str]) -> None:
    span.set_status(Status(StatusCode.ERROR, error.get("message")))
    names = {"type": "exception.type", "message": "exception.message", "traceback": "exception.stacktrace"}
    span.add_event("exception", {names[name]: text for name, text in error.items() if name in names})


def _lineage(origin: Origin | None) -> tuple[context.Context, list[Link]]:
    """Whose child a run is, and what else led to it. A run of a task that nobody traced is a root."""
    if origin is None:
        return context.Context(), []
    created = propagate.extract(origin.created or {}, context.Context())
    if not origin.sent:
        return created, []
    made = trace.get_current_span(created).get_span_context()
    return propagate.extract(origin.sent, context.Context()), [Link(made)] if made.is_valid else []
