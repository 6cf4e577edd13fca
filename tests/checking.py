"""Short ways to compile a text and to look at what came out, for the tests of the checker."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

from jetpackc.check import Result, compile_sources
from jetpackc.ir import chart, model as ir
from jetpackc.source import Source


def compiled(text: str, path: str = "workflows.jet") -> Result:
    return compile_sources([Source(path, text)])


def work(call: Callable[[], object]) -> int:
    """Lines of Python that a call runs through: unlike time, the same on any machine and beside anything."""
    lines = 0

    def trace(*_: object) -> Callable[..., object]:
        nonlocal lines
        lines += 1
        return trace

    former = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(former)
    return lines


def is_linear(call: Callable[[int], object], size: int) -> bool:
    """Whether the work of a call grows no faster than the number that it is given."""
    call(10)  # and imports what there is to import
    once, twice, four_times = (work(partial(call, times * size)) for times in (1, 2, 4))
    return four_times - twice < 1.1 * 2 * (twice - once)


def codes(text: str) -> list[str]:
    """The codes of the findings, in the order of the source."""
    return [found.rule.code for found in compiled(text).diagnostics]


def findings(text: str) -> list[str]:
    """What was found, one line each: code, line, the text under the caret, the message."""
    return [
        f"{found.rule.code} {found.span.line} {text[found.span.start : found.span.end]!r} {found.message}"
        for found in compiled(text).diagnostics
        if found.span is not None
    ]


def finding(text: str, code: str) -> str:
    """Message, label, labels of other places, and help of the one finding, which has this code."""
    (found,) = compiled(text).diagnostics
    assert found.rule.code == code, found
    return " | ".join([found.message, found.label, *(label.text for label in found.secondary), found.help])


def program(text: str) -> ir.Program:
    result = compiled(text)
    assert result.program is not None, findings(text)
    return result.program


def machine(text: str) -> ir.Machine:
    """The first machine of the first module."""
    return program(text).modules[0].machines[0]


def state(text: str, name: str) -> ir.State:
    return chart.states(machine(text))[name]
