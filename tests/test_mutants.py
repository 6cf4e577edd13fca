"""The table of mutants holds together; `pytest --mutants` is what tries them."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
from installing import compile_to_sql
from mutant_table import MUTANTS, Mutant, page

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name for mutant in MUTANTS])
def test_each_mutant_changes_what_its_test_installs(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "database"))
    module = import_module(mutant.module)
    text = compile_to_sql(module.MACHINES)
    assert mutant(text) != text
    assert callable(getattr(module, mutant.function))


def test_there_are_many_and_no_two_of_a_name() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 60


def test_the_page_is_made_from_the_table() -> None:
    assert (ROOT / "docs" / "mutants.md").read_text(encoding="utf-8") == page()
