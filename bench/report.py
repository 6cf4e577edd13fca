"""The results as Markdown."""

from __future__ import annotations

from collections.abc import Iterable

from contest import Result
from stages import Stages
from steady import Speeds

_WHAT = {
    "create": "make the tasks (`create_many`; by hand: COPY)",
    "drain": "claim and finish in turn, one connection",
    "worker": "a Python worker, two connections",
}


def markdown(result: Result, where: Stages, speeds: Speeds, versions: str) -> str:
    """The contest, then where the time goes."""
    head = (
        f"{versions}; {result.jobs:,} tasks, {result.batch} a batch; medians of"
        f" {len(result.runs['jetpack']['drain'])} interleaved rounds; us: microseconds a task"
    )
    parts = [head]
    for what, told in _WHAT.items():
        parts.append(f"### {told}\n\n{_contest(result, what)}")
    parts.append(f"### where jetpack's microseconds go\n\n{_where(where)}")
    if speeds:
        parts.append(f"### a backlog that stays as long as it is: made, claimed and finished\n\n{_steady(speeds)}")
    return "\n\n".join(parts)


def _contest(result: Result, what: str) -> str:
    split = ("claim", "finish") if what == "drain" else ()
    columns = ["jobs/s", *(f"{part} us" for part in split), "server CPU us", "client CPU us", "log B"]
    values = ["jobs/s", *split, "server", "client", "wal"]
    rows = [
        [f"`{queue}`", *(_number(result.median(queue, what, value)) for value in values), *_ratios(result, queue, what)]
        for queue in result.runs
    ]
    return _table(["", *columns, "jetpack is"], rows)


def _ratios(result: Result, queue: str, what: str) -> list[str]:
    return ["" if queue == "jetpack" else f"{result.ratio('jetpack', queue, what, 'jobs/s'):.2f} x as fast"]


def _where(where: Stages) -> str:
    rows = [
        [place if at == 0 else "", part, f"{value:.2f}"]
        for place, parts in where.items()
        for at, (part, value) in enumerate(parts.items())
    ]
    return _table(["", "", "us"], rows)


def _steady(speeds: Speeds) -> str:
    rows = [[f"`{queue}`", *map(_number, found)] for queue, found in speeds.items()]
    return _table(["jobs/s", *(f"part {part}" for part in range(1, len(rows[0])))], rows)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
