"""The bench's own reckoning, and that it runs: each contestant does each job exactly once, or says that it did not."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "bench"))

import plots  # noqa: E402
import report  # noqa: E402
import roster  # noqa: E402
from bout import miscounted  # noqa: E402
from contestants.protocol import CHILDREN  # noqa: E402
from outcome import Outcome, Results  # noqa: E402
from targets import Target, judged  # noqa: E402
from workloads import WORKLOADS, lasting  # noqa: E402


def _results(*pairs: tuple[float, float]) -> Results:
    results = Results()
    for ours, floor in pairs:
        results.add("drain", "jetpack", Outcome({"jobs/s": ours}))
        results.add("drain", "floor-history", Outcome({"jobs/s": floor}))
    return results


def test_a_ratio_is_one_within_a_round() -> None:
    results = _results((100, 100), (10, 20), (1000, 2000))
    assert results.ratio("drain", "jetpack", "floor-history", "jobs/s") == 0.5
    assert results.median("drain", "jetpack", "jobs/s") == 100
    assert results.ratio("drain", "jetpack", "pgmq", "jobs/s") is None


def test_only_what_was_measured_is_judged() -> None:
    ((target, ratio),) = judged(_results((79, 100)))
    assert (target.workload, target.figure, ratio) == ("drain", "jobs/s", 0.79)
    assert not target.is_met(ratio)
    assert Target("latency", "p50 ms", 2.0, at_most=True).is_met(1.9)
    assert "| drain, jobs/s | at least 0.8 of floor-history | 0.79 | **not met** |" in report.markdown(
        _results((79, 100)), ""
    )


def test_targets_name_figures_that_are_measured() -> None:
    results = _results((1, 1))
    results.turns = {name: {"jetpack": [Outcome(dict.fromkeys(WORKLOADS[name].shown, 1.0))]} for name in WORKLOADS}
    for name in WORKLOADS:
        assert report.markdown(results, "").count(f"### {name}: ") == 1


def test_every_contestant_says_what_it_needs() -> None:
    found = roster.entries()
    assert {"jetpack", "floor-history", "floor-delete"} <= set(found)
    for entry in found.values():
        assert entry.here is not bool(entry.dependencies)
        assert all("==" in one or "@" in one for one in entry.dependencies), "an exact version"


def test_a_batch_makes_another_contestant() -> None:
    (entry,) = roster.find(["floor-history@50"])
    assert (entry.name, entry.file, entry.batch) == ("floor-history@50", "floor-history", 50)
    with pytest.raises(roster.RosterError, match="no contestant `nobody`"):
        roster.find(["nobody"])


def test_claims_are_found_in_the_servers_log() -> None:
    log = (
        "at 10.500 LOG:  duration: 1.500 ms  execute _pg3_0: WITH c AS (\n  select 1)\n"
        "at 11.000 LOG:  duration: 9.000 ms  statement: select 2\nat 11.500 LOG:  checkpoint starting: time\n"
    )
    assert list(lasting.claims_in(log, "with c as")) == [(10.5, 1.5)]


def test_pictures_are_svg() -> None:
    for text in (plots.bars("a < b", {"x": 1.0, "y": 0.0}), plots.curves("c", {"x": ([0, 1], [0.0, 2.0])})):
        assert ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"


def test_what_is_not_done_exactly_once_is_noticed() -> None:
    assert miscounted("job", [bytes([1, 0, 1]), bytes([0, 1, 0])]) == {}
    assert miscounted("job", [bytes([1, 0, 1]), bytes([0, 0, 1])]) == {1: 0, 2: 2}
    assert miscounted("job", [bytes(2), bytes(2)]) == {0: 0, 1: 0}
    assert miscounted("chain", [bytes([3, 2])]) == {1: 2}
    assert miscounted("fan", [bytes([2, *[1] * CHILDREN])]) == {}
