"""Safe fixes: applied until none is left, whole or not at all, and never to what would not parse."""

from __future__ import annotations

import os
import resource
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from told import Cli

from jetpackc.check.mend import Applied, apart, edited, mend
from jetpackc.cli.errors import Failure
from jetpackc.cli.files import rewrite
from jetpackc.diagnostics import Diagnostic, Fix
from jetpackc.diagnostics.rules import syntax as rules
from jetpackc.source import Source
from jetpackc.syntax import parses

GOOD = """module shop

machine order(number: bigint) {
  initial state open { on PAID -> all_done }
  final state all_done
}
"""
BAD = GOOD.replace("PAID", "Paid").replace("all_done", "allDone")
UNSAFE = GOOD.replace("-> all_done", "-> al_done")
HOPELESS = BAD + "enum tier { free, ) }\n"


def mended(*texts: str) -> list[str]:
    sources = [Source(f"{number}.jet", text) for number, text in enumerate(texts)]
    return [one.source.text for one in mend(sources)]


# ---------------------------------------------------------------- what is applied


def test_one_fix_lays_open_the_next() -> None:
    assert mended(BAD) == [GOOD]


def test_what_is_good_stays_as_it_is() -> None:
    assert mended(GOOD, UNSAFE) == [GOOD, UNSAFE]


def test_a_file_that_would_not_parse_is_left_as_it_was_and_others_are_mended() -> None:
    assert mended(HOPELESS, BAD.replace("shop", "inn")) == [HOPELESS, GOOD.replace("shop", "inn")]


def test_line_ends_and_everything_else_are_kept() -> None:
    text = "// é 日本\r\n" + BAD.replace("\n", "\r\n").rstrip() + "\t"
    assert mended(text) == ["// é 日本\r\n" + GOOD.replace("\n", "\r\n").rstrip() + "\t"]


def test_what_was_applied_is_told_in_order() -> None:
    (found,) = mend([Source("a.jet", BAD)])
    assert [(one.diagnostic.rule.code, one.fix.title, one.fix.span.line) for one in found.applied] == [
        ("J007", "write `PAID`", 4),
        ("J007", "write `all_done`", 4),
        ("J007", "write `all_done`", 5),
    ]


def turning(text: str) -> Diagnostic:
    """A mistake whose fix leads to another, which leads back."""
    source = Source("a.jet", text)
    place = source.span(0, len("event A"))
    other = "event B" if text.startswith("event A") else "event A"
    return Diagnostic(rules.SYNTAX_ERROR, "m", place, fixes=(Fix("turn", place, other, safe=True),))


def test_fixes_that_turn_in_a_circle_end() -> None:
    seen: list[str] = []

    def check(sources: Sequence[Source]) -> list[Diagnostic]:
        seen.append(sources[0].text)
        return [turning(sources[0].text)]

    (found,) = mend([Source("a.jet", "event A")], check)
    assert seen == ["event A", "event B"]
    assert parses(found.source)


def fix(source: Source, start: int, end: int, replacement: str) -> Applied:
    place = source.span(start, end)
    return Applied(Diagnostic(rules.SYNTAX_ERROR, "m", place), Fix("f", place, replacement, safe=True))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).map(sorted), max_size=6))
def test_edits_that_overlap_are_left_for_the_next_round(places: list[list[int]]) -> None:
    source = Source("a.jet", "0123456789")
    chosen = apart(fix(source, start, end, "*") for start, end in places)
    spans = [(one.fix.span.start, one.fix.span.end) for one in chosen]
    assert spans == sorted(spans)
    assert all(before[1] < after[0] for before, after in pairwise(spans))
    assert bool(chosen) == bool(places)
    text = edited(source, [one.fix for one in chosen]).text
    assert text.count("*") == len(chosen)
    assert [char for char in text if char != "*"] == [
        char for at, char in enumerate(source.text) if not any(start <= at < end for start, end in spans)
    ]


# ---------------------------------------------------------------- on disk


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "workflows.jet"
    path.write_text(BAD)
    return path


def test_check_says_what_fix_would_mend(cli: Cli, source: Path) -> None:
    assert cli("check").err.splitlines() == ["1 error", "`jetpackc check --fix` mends it"]
    source.write_text(HOPELESS)
    assert cli("check").err.splitlines() == ["2 errors", "`jetpackc check --fix` mends 1 of them"]
    source.write_text(UNSAFE)
    assert cli("check").err == "1 error\n"


def test_fix_mends_the_file_says_so_and_exits_as_check_does_then(cli: Cli, source: Path) -> None:
    told = cli("check", "--fix")
    assert (told.code, told.out) == (0, "")
    assert told.err.splitlines() == [
        "fixed workflows.jet:4: write `PAID` [J007]",
        "fixed workflows.jet:4: write `all_done` [J007]",
        "fixed workflows.jet:5: write `all_done` [J007]",
        "workflows.jet: no mistakes found",
    ]
    assert source.read_text() == GOOD
    assert list(source.parent.iterdir()) == [source]


def test_what_is_left_is_printed_and_exits_1(cli: Cli, source: Path) -> None:
    source.write_text(UNSAFE.replace("PAID", "Paid"))
    told = cli("check", "--fix", "--format", "short")
    assert (told.code, source.read_text()) == (1, UNSAFE)
    assert told.out.startswith("workflows.jet:4:35: error[J101]")
    source.write_text(HOPELESS)
    assert cli("check", "--fix").code == 1
    assert source.read_text() == HOPELESS


@pytest.mark.parametrize("arguments", [["--diff"], ["--fix", "--diff"]])
def test_diff_shows_and_writes_nothing(cli: Cli, source: Path, arguments: list[str]) -> None:
    source.write_text(BAD.rstrip())
    told = cli("check", *arguments)
    assert (told.code, source.read_text()) == (1, BAD.rstrip())
    assert told.out == (
        "--- a/workflows.jet\n+++ b/workflows.jet\n@@ -1,6 +1,6 @@\n module shop\n \n machine order(number: bigint) {\n"
        "-  initial state open { on Paid -> allDone }\n-  final state allDone\n"
        "+  initial state open { on PAID -> all_done }\n+  final state all_done\n }\n\\ No newline at end of file\n"
    )
    assert told.err.splitlines()[0] == "would fix workflows.jet:4: write `PAID` [J007]"


def test_diff_of_a_clean_file_is_empty(cli: Cli, source: Path) -> None:
    source.write_text(GOOD)
    told = cli("check", "--diff")
    assert (told.code, told.out, told.err) == (0, "", "")


def test_what_is_imported_is_known_and_left_alone(cli: Cli, source: Path) -> None:
    other = source.parent / "tiers.jet"
    other.write_text("module tiers\n\nenum tier { free, pro }\nevent PAID(n: varchar)\n")
    kept = other.read_text()
    source.write_text('import "tiers.jet"\n' + BAD)
    cli("check", "workflows.jet", "--fix")
    assert source.read_text() == 'import "tiers.jet"\n' + GOOD
    assert other.read_text() == kept


def test_a_file_keeps_mode_link_and_byte_order_mark(tmp_path: Path) -> None:
    target, link = tmp_path / "real.jet", tmp_path / "link.jet"
    target.write_bytes(b"\xef\xbb\xbfevent A\r\n")
    target.chmod(0o640)
    link.symlink_to(target)
    rewrite(link, "event A\r\n", "event B\r\n")
    assert target.read_bytes() == b"\xef\xbb\xbfevent B\r\n"
    assert (target.stat().st_mode & 0o777, link.is_symlink()) == (0o640, True)


def test_a_file_that_changed_meanwhile_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.jet"
    path.write_text("event OTHER")
    with pytest.raises(Failure, match="has changed meanwhile"):
        rewrite(path, "event A", "event B")
    assert (path.read_text(), os.listdir(tmp_path)) == ("event OTHER", ["a.jet"])


def test_a_file_that_cannot_be_written_is_left_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.jet"
    path.write_text("event A")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            rewrite(path, "event A", "event B" * 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (path.read_text(), os.listdir(tmp_path)) == ("event A", ["a.jet"])
