"""Habits of other languages: each is named at its place, and the fix that is offered compiles."""

from __future__ import annotations

import habits
import pytest

from jetpackc.check import compile_sources
from jetpackc.check.mend import edited, mend
from jetpackc.diagnostics import Diagnostic
from jetpackc.source import Source
from jetpackc.syntax import parses
from jetpackc.syntax.habits import HABITS

STATE = """module m
machine m {
  var n: int = 0
  initial state a {
    on NEXT -> b
    %s
  }
  final state b { on X { set n = 1 } on Y when n > 0 -> a }
}
"""
MACHINE = "module m\nmachine m {\n %s\n  initial state a { on NEXT -> b }\n  final state b \n}\n"
TEST = """module m
machine m {
  var n: int = 0
  initial state a { on NEXT -> w }
  state w { on LOCKED_BY_WORKER -> r }
  state r {
    run "m:work"
    on SUCCESS -> b { increment n }
    on ERROR -> b
  }
  final state b { on AGAIN { spawn self() } }
}
test "t" {
  create m
  %s
}
"""
TOP = "module m\n%s\nmachine m {\n  initial state a { on NEXT -> b }\n  final state b \n}\n"


def rows(kind: str) -> list[tuple[str, str, str]]:
    around = {"STATE": STATE, "MACHINE": MACHINE, "TOP": TOP, "TEST": TEST}
    return [
        (frame, written, meant)
        for place, frame in around.items()
        for written, meant in getattr(habits, f"{place}_{kind}").items()
    ]


def check(text: str) -> tuple[Diagnostic, ...]:
    return compile_sources([Source("a.jet", text)]).diagnostics


def first_fixed(text: str) -> str:
    """The text with the first fix of the first finding that has one, again and again."""
    for _ in range(20):
        fixes = [diagnostic.fixes[0] for diagnostic in check(text) if diagnostic.fixes]
        if not fixes:
            break
        text = edited(Source("a.jet", text), fixes[:1]).text
    return text


@pytest.mark.parametrize(("frame", "written", "meant"), rows("SAFE"), ids=lambda each: each[:50] if each else "none")
def test_a_habit_is_mended_unasked(frame: str, written: str, meant: str) -> None:
    (found,) = mend([Source("a.jet", frame % written)])
    assert found.source.text == frame % meant
    assert parses(found.source)
    assert found.applied


@pytest.mark.parametrize(("frame", "written", "meant"), rows("GUESSED"), ids=lambda each: each[:50])
def test_what_may_be_meant_otherwise_is_only_offered(frame: str, written: str, meant: str) -> None:
    assert mend([Source("a.jet", frame % written)])[0].source.text == frame % written
    assert first_fixed(frame % written) == frame % meant
    assert parses(Source("a.jet", frame % meant))


@pytest.mark.parametrize(
    ("frame", "written", "meant"), rows("SAFE") + rows("GUESSED"), ids=lambda each: each[:50] if each else "none"
)
def test_a_habit_is_said_once_at_its_place_with_a_reason(frame: str, written: str, meant: str) -> None:
    text = frame % written
    errors = [found for found in check(text) if found.is_error and found.fixes]
    found = errors[0]
    assert found.span is not None
    start = text.index(written) if written else 0
    assert start <= found.span.start < start + len(written), found
    assert found.help or found.label.startswith(("did you mean", "write ")) or found.rule.code == "J215"
    after = edited(Source("a.jet", text), found.fixes[:1])
    assert (found.message, found.span) not in [(each.message, each.span) for each in check(after.text)]


def test_each_row_says_why() -> None:
    assert [row.at.pattern for row in HABITS if not row.help and row.at.pattern not in "≤≥≠"] == []


SEED = """import { createMachine } from '@djgrant/jetpack';

const taskMachine = await createMachine({
  name: 'My task machine',
  initial: 'pending',
  context: { iterations: 0 },
  states: {
    pending: {
      onEvent: {
        LOCKED_BY_WORKER: 'running',
      },
    },
    running: {
      onEvent: {
        ERROR: 'failed',
        SUCCESS: 'done',
        IDLE: 'idle',
      },
    },
    failed: {
      onEnter: {
        type: 'cond',
        when: {
          type: 'lte',
          left: {
            type: 'context',
            path: 'iterations',
          },
          right: 5,
        },
        then: 'pending',
      },
    },
    idle: { onEnter: retry(5) },
    done: {},
  },
});
"""


def test_a_machine_in_javascript_is_brought_over() -> None:
    (found,) = mend([Source("tasks.jet", SEED)])
    lines = [line.strip() for line in found.source.text.splitlines() if line.strip()]
    assert lines == [
        "machine task {",
        "// name: My task machine",
        "var iterations: int = 0",
        "initial state pending {",
        "on LOCKED_BY_WORKER -> running",
        "}",
        "state running {",
        "on ERROR -> failed",
        "on SUCCESS -> done",
        "on IDLE -> idle",
        "}",
        "state failed {",
        "enter when iterations <= 5 -> pending",
        "}",
        "state idle { enter retry(5) }",
        "final state done",
        "}",
    ]


@pytest.mark.parametrize(
    "text",
    [
        'operator same(x: text?) { when x == null { fail "x" } }',
        'operator both(x: text) { when x + x == "" { fail "x" } }',
        'operator either(x: text?) { when coalesce(x, "") == "" { fail "x" } }',
    ],
)
def test_a_fix_never_writes_an_argument_into_an_operator(text: str) -> None:
    name = text.removeprefix("operator ").partition("(")[0]
    used = f'machine m(t: text?) {{ initial state a {{ on GO {name}(t ?? "")  on END -> b }} final state b }}'
    for found in check(f"module m\n{text}\n{used}\n"):
        assert not found.fixes, found
