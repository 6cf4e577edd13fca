"""What tests of several sessions at once share."""

from __future__ import annotations

import threading
from collections.abc import Callable

from queue_client import Db


def waiting(db: Db) -> int:
    """How many sessions of this database wait for a lock."""
    query = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    return int(db.value(query))


def in_thread(call: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=call)
    thread.start()
    return thread


def replace_in(db: Db, function: str, old: str, new: str) -> None:
    text = db.value("select pg_get_functiondef(%s::regproc)", function)
    assert text.count(old) == 1, f"{function} does not say once: {old}"
    db.run(text.replace(old, new).replace("%", "%%"))
