"""The worker and the client of jetpackc's generated queue. Needs psycopg alone."""

from .client import AsyncClient, Client
from .errors import (
    BadValue,
    DatabaseError,
    DatabaseUnreachable,
    HandlerError,
    JetpackError,
    NewerDatabase,
    NotMigrated,
    Refused,
    TaskNotFound,
    TaskStuck,
    TransitionFailed,
    UniqueConflict,
    UnknownMachine,
    WaitTimeout,
)
from .outcome import Event
from .task import PlainTask, Task
from .views import Hop, Sent, TaskView
from .worker import Worker, run_worker

__all__ = [
    "AsyncClient",
    "BadValue",
    "Client",
    "DatabaseError",
    "DatabaseUnreachable",
    "Event",
    "HandlerError",
    "Hop",
    "JetpackError",
    "NewerDatabase",
    "NotMigrated",
    "PlainTask",
    "Refused",
    "Sent",
    "Task",
    "TaskNotFound",
    "TaskStuck",
    "TaskView",
    "TransitionFailed",
    "UniqueConflict",
    "UnknownMachine",
    "WaitTimeout",
    "Worker",
    "run_worker",
]
