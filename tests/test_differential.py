"""A bounded run of random programs in Postgres and in the reference interpreter: see docs/trust.md."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from random import Random

import pytest
from test_docs import ROOT, blocks

from jetpackc.check import compile_sources
from jetpackc.ir import model as ir
from jetpackc.postgres import Server
from jetpackc.source import Source

HARNESS = ROOT / "bench" / "differential"
sys.path.insert(0, str(HARNESS))

import batch  # noqa: E402
import server_side  # noqa: E402
from constants import nodes  # noqa: E402
from contest_of_two import Both  # noqa: E402
from random_expressions import ENUMS  # noqa: E402


def test_postgres_and_the_interpreter_agree_on_random_programs(pg: int) -> None:
    command = [sys.executable, HARNESS, "--programs", "20", "--machines", "15", "--seed", "21"]
    told = subprocess.run([*command, "--pg", str(pg)], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    figures = json.loads(told.stdout.splitlines()[-1])
    assert figures["disagreements"] == 0
    assert figures["transitions"] > 300


@pytest.fixture(scope="module")
def fast(pg: int) -> Iterator[Server]:
    with server_side.server(pg) as found:
        yield found


def is_unknown(node: object) -> bool:
    """Whether the interpreter has no such thing."""
    return isinstance(node, ir.Schedule)


SHOWN = blocks(ROOT / "docs" / "language.md", "jet")


@pytest.mark.parametrize("number", range(len(SHOWN)))
def test_a_program_of_the_language_page_does_in_postgres_what_the_page_means(number: int, fast: Server) -> None:
    """Random events for each machine that the page shows: both sides answer the same, and history is the same."""
    program = compile_sources([Source("workflows.jet", SHOWN[number])]).program
    assert program is not None
    if not any(module.machines for module in program.modules) or any(map(is_unknown, nodes(program))):
        return
    ENUMS.update({enum.name: enum.values for module in program.modules for enum in module.enums})
    chance = Random(number)
    with closing(server_side.Database(fast, program)) as database:
        both = Both(database, program)
        chosen = both.chosen(chance)
        for _ in range(12):
            both.play(batch.next_round(both, chosen, chance))
        both.compare_all()
    assert both.world.history
