"""A proxy between a worker and Postgres that counts the messages of each call and cuts the connection at a chosen one.

It reads just enough of the protocol: messages are a byte and a length. What a client asks up to Sync (or in one simple
Query) is a call, named by its statement; what the server answers up to ReadyForQuery is its answer.
"""

from __future__ import annotations

import asyncio
import re
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Side = Literal["asked", "answered"]
Cut = Callable[[str, Side, int], bool]
"""Called with a call's name, a side and how many messages of it went through; true where to cut the connection."""

_NAMES = (
    (re.compile(rb"\b(begin|commit|rollback)\b", re.IGNORECASE), None),
    (re.compile(rb"jet\.(\w+)\("), None),
    (re.compile(rb"_(claim|resolve|create_many|fire|pump|lost|send)\"?\("), None),
    (re.compile(rb"(insert into ledger)"), "effect"),
    (re.compile(rb"(listen jet)"), "listen"),
    (re.compile(rb"(manifest from jet\.machine)"), "manifests"),
    (re.compile(rb"(from jet\.machine)"), "machines"),
)
_ASIDE = b"ANSK"
"""What the server may say at any time: notifications, notices, parameters, its key."""


def call_name(statement: bytes) -> str:
    """What a statement is called: `claim`, `commit`, `heartbeat`, …; `other` where it is none of those that matter."""
    for pattern, name in _NAMES:
        if found := pattern.search(statement):
            return name or found[1].decode().lower()
    return "other"


class Sweep:
    """Cuts one call after its k-th message, for every k: those that the client sends, then those of the answer. With
    `spare` one call of two is left whole, so that work goes on. `done` once there is no message left to cut at."""

    def __init__(self, call: str, *, spare: bool = True) -> None:
        self.call = call
        self._spare = spare
        self._side: Side = "asked"
        self._number = 0
        self._spared = False
        self.cuts: list[tuple[Side, int]] = []
        self.done = False

    def __call__(self, call: str, side: Side, number: int) -> bool:
        if call != self.call or self.done or self._spared or (side, number) != (self._side, self._number):
            return False
        self.cuts.append((side, number))
        self._number += 1
        self._spared = self._spare
        return True

    def ended(self, call: str, side: Side, messages: int) -> None:
        """A call went through whole on one side, with so many messages."""
        if call != self.call:
            return
        if not self._spared and side == self._side and messages <= self._number:
            self.done = side == "answered"
            self._side, self._number = "answered", 0
        if side == "answered":
            self._spared = False


@dataclass
class _Session:
    """One connection: what is asked on it."""

    call: str = ""
    asked: int = 0
    answered: int = 0
    statements: dict[bytes, bytes] = field(default_factory=dict)


class Proxy:
    """Hands connections on to the server behind a unix socket. `cut` is asked before each message; while `sweep` is
    None everything goes through."""

    def __init__(self, socket: Path) -> None:
        self._socket = f"{socket}/.s.PGSQL.5432"
        self.sweep: Sweep | None = None
        self.seen: dict[str, int] = {}
        self.port = 0
        self._sessions: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            for session in self._sessions:
                session.cancel()
            await asyncio.sleep(0)
            while self._sessions:
                await asyncio.wait(set(self._sessions))
                await asyncio.sleep(0)

    def dsn(self, dsn: str) -> str:
        """How to reach a database of that server through here."""
        name = dsn.rpartition("dbname=")[2]
        return f"host=127.0.0.1 port={self.port} user=postgres dbname={name} sslmode=disable gssencmode=disable"

    async def _serve(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        session = asyncio.create_task(self._hand_on(client, back))
        self._sessions.add(session)
        await asyncio.wait({session})
        self._sessions.discard(session)
        await _abort(back)

    async def _hand_on(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """One connection, until either side ends it or it is cut."""
        with suppress(OSError, asyncio.IncompleteReadError):
            server, forth = await asyncio.open_unix_connection(self._socket)
            session = _Session()
            asking = asyncio.create_task(self._ask(session, client, forth))
            answering = asyncio.create_task(self._answer(session, server, back))
            try:
                await asyncio.wait({asking, answering}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                asking.cancel()
                answering.cancel()
                await asyncio.gather(asking, answering, return_exceptions=True)
                await _abort(forth)

    async def _ask(self, session: _Session, client: asyncio.StreamReader, forth: asyncio.StreamWriter) -> None:
        """Client to server, until a cut or the end."""
        (length,) = struct.unpack("!i", head := await client.readexactly(4))  # the first message has no kind
        forth.write(head + await client.readexactly(length - 4))
        while True:
            kind, body = await _message(client)
            self._follow(session, kind, body)
            if self.sweep and self.sweep(session.call, "asked", session.asked):
                return
            session.asked += 1
            last = kind in b"SQ"
            if last and self.sweep:
                self.sweep.ended(session.call, "asked", session.asked)
            forth.write(kind + struct.pack("!i", len(body) + 4) + body)
            await forth.drain()

    def _follow(self, session: _Session, kind: bytes, body: bytes) -> None:
        """Which call this message belongs to."""
        statement: bytes | None = None
        if kind == b"Q":
            statement = body
        elif kind == b"P":
            name, _, rest = body.partition(b"\0")
            statement = session.statements[name] = rest.partition(b"\0")[0]
        elif kind == b"B":
            statement = session.statements.get(body.partition(b"\0")[2].partition(b"\0")[0])
        if statement is not None and session.asked == 0:
            session.call = call_name(statement)
            self.seen[session.call] = self.seen.get(session.call, 0) + 1

    async def _answer(self, session: _Session, server: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """Server to client, until a cut, which waits until the server is done with the call: it has committed."""
        cut = False
        while True:
            kind, body = await _message(server)
            if session.call and kind not in _ASIDE and not cut:
                cut = bool(self.sweep and self.sweep(session.call, "answered", session.answered))
                session.answered += 1
            if not cut:
                back.write(kind + struct.pack("!i", len(body) + 4) + body)
                await back.drain()
            if kind == b"Z" and session.call:
                if cut:
                    return
                if self.sweep:
                    self.sweep.ended(session.call, "answered", session.answered)
                session.call, session.asked, session.answered = "", 0, 0


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    kind = await reader.readexactly(1)
    (length,) = struct.unpack("!i", await reader.readexactly(4))
    return kind, await reader.readexactly(length - 4)


async def _abort(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()
