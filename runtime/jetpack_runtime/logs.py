"""Logs as lines of JSON, each with the task that it concerns, those of handlers included.

logging.basicConfig(level=logging.INFO, handlers=[json_handler()])
worker = Worker(dsn, telemetry=[Logs()])
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import IO, Any

from .jobs import Job
from .telemetry import Ended, Run, Telemetry

LOG = logging.getLogger("jetpack.run")

FIELDS = ("machine", "task", "attempt", "state", "worker", "outcome", "seconds")
"""What a record may have besides the usual."""

_RUN: ContextVar[Run | None] = ContextVar("jetpack_run", default=None)


class Logs(Telemetry):
    """Has the filter know the run that a line is written in, and writes a line at the end of each: what went wrong is a
    warning, all else for debugging."""

    @contextmanager
    def running(self, run: Run) -> Iterator[Callable[[Ended], None]]:
        """See `Telemetry`."""
        token = _RUN.set(run)
        try:
            yield _log
        finally:
            _RUN.reset(token)


def _log(ended: Ended) -> None:
    fine = ended.error is None and ended.outcome not in {"TIMEOUT", "lost"}
    level = logging.DEBUG if fine else logging.WARNING
    extra = {"outcome": ended.outcome, "seconds": round(ended.seconds, 6)}
    if ended.error is None:
        LOG.log(level, "ended with %s", ended.outcome, extra=extra)
    else:
        kind, message = ended.error.get("type"), (ended.error.get("message") or "").partition("\n")[0]
        LOG.log(level, "ended with %s: %s: %s", ended.outcome, kind, message, extra=extra)


class TaskFilter(logging.Filter):
    """Gives each record `machine`, `task`, `attempt`, `state` and `worker` of the run that it is written in, or of the
    task that it speaks of; None where there is none. Put it on a handler, not on a logger."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always passes."""
        told = _of_run(_RUN.get()) or _of_job(record.args)
        for name in FIELDS:
            if not hasattr(record, name):
                setattr(record, name, told.get(name))
        return True


def _of_run(run: Run | None) -> Mapping[str, Any]:
    if run is None:
        return {}
    return {
        "machine": run.machine,
        "task": run.task,
        "attempt": run.attempt,
        "state": run.state,
        "worker": run.worker,
    }


def _of_job(args: object) -> Mapping[str, Any]:
    job = next((one for one in args if isinstance(one, Job)), None) if isinstance(args, tuple) else None
    if job is None:
        return {}
    return {"machine": job.served.name, "task": job.id, "attempt": job.attempt, "state": job.state}


class JsonFormatter(logging.Formatter):
    """A record as one line. `more` gives further members, such as `otel.current_trace`."""

    def __init__(self, more: Callable[[], Mapping[str, str]] | None = None) -> None:
        super().__init__()
        self._more = more

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name in FIELDS if (value := getattr(record, name, None)) is not None}
        if self._more is not None:
            line |= self._more()
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def json_handler(stream: IO[str] | None = None, more: Callable[[], Mapping[str, str]] | None = None) -> logging.Handler:
    """A handler of lines of JSON, to stderr if no `stream` is given."""
    handler = logging.StreamHandler(stream)
    handler.addFilter(TaskFilter())
    handler.setFormatter(JsonFormatter(more))
    return handler
