"""Answers the browser on this machine: the page, the charts, the counts. Takes GET and HEAD, and changes nothing."""

from __future__ import annotations

import json
import socket
from dataclasses import asdict
from datetime import datetime
from functools import cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs, urlsplit

from jetpackc.graph.style import STYLE
from jetpackc.viz.charts import Charts
from jetpackc.viz.counts import Counts

LOOPBACK = ("127.0.0.1", "::1")
_NAMES = ("localhost", "127.0.0.1", "[::1]")
"""What a browser of this machine calls us. Any other name is one that somebody pointed at it (DNS rebinding)."""

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}

_PAGES = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}


class NotLoopbackError(ValueError):
    """An address that others can reach."""


class Console(ThreadingHTTPServer):
    """The server. `counts` is None where there are charts alone.

    Raises:
        NotLoopbackError: `host` is not 127.0.0.1 or ::1.
        OSError: the port is taken.
    """

    def __init__(self, charts: Charts, counts: Counts | None, port: int, host: str = LOOPBACK[0]) -> None:
        if host not in LOOPBACK:
            raise NotLoopbackError(host)
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.charts = charts
        self.counts = counts
        super().__init__((host, port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that went away in the middle is nothing to tell."""


class _RefusedError(Exception):
    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    server: Console
    protocol_version = "HTTP/1.1"
    timeout = 60
    server_version = "jetpackc"
    sys_version = ""

    def do_GET(self) -> None:
        try:
            self._check_host()
            kind, body = self._answer()
            status = HTTPStatus.OK
        except _RefusedError as refused:
            status, kind, body = refused.status, "text/plain", f"{refused}\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        self.send_response(HTTPStatus.METHOD_NOT_ALLOWED)
        self.send_header("Allow", "GET, HEAD")
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")  # what it brought is not read
        self.end_headers()

    do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_POST  # noqa: N815

    def end_headers(self) -> None:
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a page asks every second."""

    def _check_host(self) -> None:
        host = self.headers.get("Host", "")
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        if name.lower() not in _NAMES:
            raise _RefusedError(HTTPStatus.MISDIRECTED_REQUEST, "ask for localhost")

    def _answer(self) -> tuple[str, bytes]:
        """The type of what was asked for, and its bytes. Raises _RefusedError."""
        asked = urlsplit(self.path)
        if asked.path in _PAGES:
            file, kind = _PAGES[asked.path]
            return kind, _page(file)
        if asked.path == "/chart.css":
            return "text/css", STYLE.encode()
        if asked.path == "/api/charts":
            return _json({**self.server.charts.data(), "database": self.server.counts is not None})
        if asked.path == "/api/now":
            return _json(self._now(parse_qs(asked.query)))
        raise _RefusedError(HTTPStatus.NOT_FOUND, "there is nothing here")

    def _now(self, query: dict[str, list[str]]) -> dict[str, object]:
        """The version of the charts, and the counts of the machine that is asked for, if one is."""
        version = self.server.charts.version()
        name = query.get("machine", [""])[0]
        if not name or self.server.counts is None:
            return {"version": version}
        machine = self.server.charts.find(name)
        if machine is None:
            raise _RefusedError(HTTPStatus.NOT_FOUND, "there is no such machine")
        return {"version": version, **asdict(self.server.counts.of(machine, _moment(query)))}


def _moment(query: dict[str, list[str]]) -> datetime | None:
    """The moment asked for, None for now. Raises _RefusedError."""
    text = query.get("at", [""])[0]
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise _RefusedError(HTTPStatus.BAD_REQUEST, "`at` is a moment such as 2026-03-01T12:00:00Z")
    return found


def _json(data: dict[str, object]) -> tuple[str, bytes]:
    return "application/json", json.dumps(data, ensure_ascii=False).encode()


@cache
def _page(file: str) -> bytes:
    return (files("jetpackc.viz") / "page" / file).read_bytes()
