"""Kill at every statement: see statements.py."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from jetpack_runtime import DatabaseUnreachable, Worker
from load import HANDLERS, Load
from proxy import Proxy, Sweep
from rig import database, server
from statements import OFTEN, SELDOM, cut_through, sweep_of

from jetpackc.postgres import Server


@pytest.fixture(scope="module")
def durable(pg: int) -> Iterator[Server]:
    with server(pg) as found:
        yield found


@pytest.mark.parametrize("call", [*OFTEN, *SELDOM])
def test_a_call_cut_off_at_any_message_loses_and_doubles_nothing(call: str, durable: Server) -> None:
    with database(durable) as dsn:
        load, sweep = Load(dsn, seed=len(call)), sweep_of(call)
        asyncio.run(cut_through(durable, load, sweep))
        assert load.mistakes() == []
        assert {side for side, _ in sweep.cuts} == {"asked", "answered"}


def test_a_connection_that_breaks_at_the_start_is_told_in_a_sentence(durable: Server) -> None:
    async def begin(dsn: str) -> None:
        proxy = Proxy(durable.socket)
        async with proxy.open():
            proxy.sweep = Sweep("manifests")
            await Worker(proxy.dsn(dsn), handlers=HANDLERS).run()

    with database(durable) as dsn, pytest.raises(DatabaseUnreachable, match="cannot connect to host 127"):
        asyncio.run(begin(dsn))
