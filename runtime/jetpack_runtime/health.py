"""What a supervisor asks a worker over HTTP, in a thread of its own, so that it is answered when the loop is stuck too.

/healthz   200 while the event loop turns; a supervisor restarts one that does not
/readyz    200 while the worker can claim: it has a lease with a fresh heartbeat, and the database answers
/metrics   for Prometheus, where somebody counts
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOG = logging.getLogger("jetpack")

TURN = 0.8
"""Seconds that the loop may take to turn: less than the second after which probes give up by default."""

CLIENT = 5.0
"""Seconds that a client may take to say what it wants."""

Exposition = Callable[[str], tuple[bytes, str]]
"""Metrics and their content type for an `Accept` header."""


class Health:
    """Listens from the start, on the loopback interface if no other `host` is given; answers while a worker runs.

    worker = Worker(dsn, health=Health(8080))

    `port` 0 takes a free one, which `port` tells then. Raises OSError where it is taken.
    """

    def __init__(self, port: int, host: str = "127.0.0.1", *, metrics: Exposition | None = None) -> None:
        self._metrics = metrics
        self._loop: asyncio.AbstractEventLoop | None = None
        self._trouble: Callable[[], str | None] = lambda: "the worker is not running"
        self._server = _server(host)((host, port), self._handler())
        self.port: int = self._server.server_address[1]
        self._thread: threading.Thread | None = None

    def begin(self, loop: asyncio.AbstractEventLoop, trouble: Callable[[], str | None]) -> None:
        """Answer for a worker in `loop`; `trouble` says why it cannot claim."""
        self._loop, self._trouble = loop, trouble
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="jetpack health", daemon=True
        )
        self._thread.start()

    def end(self) -> None:
        """Answer nobody any more. Not from the thread of the loop, which a last answer may wait for."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def answer(self, path: str, accept: str) -> tuple[int, bytes, str]:
        """Status, body and content type."""
        if path == "/metrics" and self._metrics is not None:
            return (200, *self._metrics(accept))
        asked = {"/healthz": self._stuck, "/readyz": self._trouble}.get(path)
        if asked is None:
            return _text(404, "there is /healthz, /readyz" + (" and /metrics" if self._metrics is not None else ""))
        why = asked()
        return _text(200, "ok") if why is None else _text(503, why)

    def _stuck(self) -> str | None:
        turned = threading.Event()
        assert self._loop is not None
        self._loop.call_soon_threadsafe(turned.set)
        return None if turned.wait(TURN) else f"the event loop has not turned for {TURN:g} s: a handler blocks it"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        health = self

        class Handler(BaseHTTPRequestHandler):
            timeout = CLIENT
            server_version, sys_version = "jetpack", ""

            def do_GET(self) -> None:
                status, body, kind = health.answer(self.path.partition("?")[0], self.headers.get("Accept", ""))
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def do_HEAD(self) -> None:
                self.do_GET()

            def log_message(self, format: str, *args: object) -> None:
                LOG.debug("health: " + format, *args)

        return Handler


def _text(status: int, text: str) -> tuple[int, bytes, str]:
    return status, f"{text}\n".encode(), "text/plain; charset=utf-8"


def _server(host: str) -> type[ThreadingHTTPServer]:
    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        daemon_threads = True

    return Server
