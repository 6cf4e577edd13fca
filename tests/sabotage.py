"""What `pytest --mutants` does: each mutant's test alone, on emitted SQL with the slip in it, and it must fail.

It must fail by an assertion: a slip that does not install, or breaks its test before that has asked, is no proof.
A mutant that survives is a failed test (XPASS), as is one whose test has another name by now.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from mutant_table import MUTANTS

NOTICED = pytest.mark.xfail(strict=True, raises=(AssertionError, pytest.fail.Exception), reason="a mutant")


@pytest.hookimpl(trylast=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test as often as there are mutants for it."""
    module, function = metafunc.module.__name__, metafunc.function.__name__
    found = [mutant for mutant in MUTANTS if (mutant.module, mutant.function) == (module, function)]
    metafunc.parametrize("mutant", [pytest.param(one, id=one.name, marks=NOTICED) for one in found], indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Only what a mutant is tried on, and all of it."""
    wanted = {(one.module, f"{one.function}[{_label(one.case, one.name)}]") for one in MUTANTS}
    chosen = [item for item in items if (item.module.__name__, item.name) in wanted]  # type: ignore[attr-defined]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    missing = wanted - {(item.module.__name__, item.name) for item in chosen}  # type: ignore[attr-defined]
    if missing and not config.getoption("file_or_dir"):
        raise pytest.UsageError(f"mutants.toml names tests that are not there: {sorted(missing)}")
    items[:] = chosen


def _label(case: str, name: str) -> str:
    return f"{case}-{name}" if case else name


@pytest.fixture(autouse=True)
def mutant(request: pytest.FixtureRequest, databases: Any) -> Iterator[None]:
    """Whatever is installed meanwhile has the slip in it."""
    databases.change = request.param
    yield
    databases.change = str
