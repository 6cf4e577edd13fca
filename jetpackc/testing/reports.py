"""Results of tests for programs: JSON and JUnit's XML. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from jetpackc.diagnostics.render import FORMATS
from jetpackc.diagnostics.render.junit import clean
from jetpackc.source import Source
from jetpackc.testing.model import Failure, Outcome, Story
from jetpackc.testing.paths import Path

HOP = ("seq", "at", "event", "payload", "from_state", "to_state", "changed", "actor")


def as_json(outcomes: Sequence[Outcome], found: Sequence[tuple[Path, bool]] | None) -> str:
    """One object: `tests`, `passed`, `failed` and, where they were asked for, `paths`."""
    failed = sum(outcome.failure is not None for outcome in outcomes)
    data: dict[str, Any] = {
        "tests": [_test(outcome) for outcome in outcomes],
        "passed": len(outcomes) - failed,
        "failed": failed,
    }
    if found is not None:
        taken = sum(is_taken for _, is_taken in found)
        data["paths"] = {
            "taken": taken,
            "of": len(found),
            "percent": percent(taken, len(found)),
            "missed": [_path(path) for path, is_taken in found if not is_taken],
        }
    return json.dumps(data, indent=2, default=str, ensure_ascii=False) + "\n"


def percent(taken: int, of: int) -> float:
    """How much of it, to one place. All of nothing is 100."""
    return round(100 * taken / of, 1) if of else 100.0


def _test(outcome: Outcome) -> dict[str, Any]:
    span = outcome.test.span
    found: dict[str, Any] = {"name": outcome.test.name, "file": span.path, "line": span.line}
    found |= {"passed": outcome.failure is None, "seconds": round(outcome.seconds, 3)}
    return found if outcome.failure is None else found | {"failure": _failure(outcome.failure)}


def _failure(failure: Failure) -> dict[str, Any]:
    said = failure.diagnostic
    place = {"file": said.span.path, "line": said.span.line, "column": said.span.column} if said.span else {}
    return {
        "code": said.rule.code,
        "message": said.message,
        **place,
        "statement": failure.expected,
        "actual": failure.actual,
        "tasks": [_story(story) for story in failure.stories],
    }


def _story(story: Story) -> dict[str, Any]:
    task = story.task
    hops = [{name: getattr(hop, name) for name in HOP} for hop in story.hops]
    return {"id": task.id, "machine": task.machine, "state": task.state, "vars": dict(task.vars), "history": hops}


def _path(path: Path) -> dict[str, Any]:
    place = {"file": path.span.path, "line": path.span.line}
    return {
        "machine": path.machine,
        "state": path.state,
        "trigger": path.trigger,
        "target": path.target,
        **place,
    }


def as_junit(outcomes: Sequence[Outcome], sources: Mapping[str, Source]) -> str:
    """A suite a file, a case a test."""
    by_path: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_path.setdefault(outcome.test.span.path, []).append(outcome)
    root = Element("testsuites", {"name": "jetpackc test", **_counts(outcomes)})
    for path, inside in by_path.items():
        suite = SubElement(root, "testsuite", {"name": clean(path), **_counts(inside)})
        for outcome in inside:
            _case(suite, path, outcome, sources)
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}\n'


def _counts(outcomes: Sequence[Outcome]) -> dict[str, str]:
    failed = sum(outcome.failure is not None for outcome in outcomes)
    seconds = sum(outcome.seconds for outcome in outcomes)
    return {"tests": str(len(outcomes)), "failures": str(failed), "errors": "0", "time": f"{seconds:.3f}"}


def _case(suite: Element, path: str, outcome: Outcome, sources: Mapping[str, Source]) -> None:
    test = outcome.test
    given = {"classname": clean(path), "name": clean(test.name), "time": f"{outcome.seconds:.3f}"}
    case = SubElement(suite, "testcase", given | {"file": clean(path), "line": str(test.span.line)})
    if outcome.failure is not None:
        said = outcome.failure.diagnostic
        failure = SubElement(case, "failure", {"type": said.rule.code, "message": clean(said.message)})
        failure.text = clean("\n" + told(outcome.failure, sources))


def told(failure: Failure, sources: Mapping[str, Source]) -> str:
    """A failure and the tasks that it is about, without colours."""
    blocks = [FORMATS["text"]([failure.diagnostic], sources)]
    blocks += ["\n".join(story.lines()) + "\n" for story in failure.stories]
    return "\n".join(blocks)
