"""Which function works which state."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from jetpack_runtime import HandlerError
from jetpack_runtime.handlers import bind
from jetpack_runtime.manifest import Machine, Work


def machine(**runs: str | None) -> Machine:
    work = {f"{name}.running": Work(name, run, timeout=False, outcomes={}) for name, run in runs.items()}
    return Machine("shop", "checkout", "h", (), (), {}, {}, frozenset(), frozenset(), claimable=True, work=work)


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path, for modules that a test writes."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


async def charge(task: object) -> None:
    await asyncio.sleep(0)


def plain(task: object) -> None:
    pass


class Charger:
    async def __call__(self, task: object) -> None:
        await asyncio.sleep(0)


def test_a_function_is_found_by_module_and_name(modules: Path) -> None:
    (modules / "payments_a.py").write_text("async def charge(task): ...\ndef run(task): ...\n")
    found = bind(machine(charging="payments_a:charge", booking="payments_a"), {})
    assert (found["charging.running"].function.__name__, found["charging.running"].plain) == ("charge", False)
    assert (found["booking.running"].function.__name__, found["booking.running"].plain) == ("run", True)


def test_a_bound_function_takes_the_place_of_the_named_one() -> None:
    found = bind(machine(charging="nowhere:x"), {"shop.checkout.charging": charge, "shop.mail": plain})
    assert found["charging.running"].function is charge


def test_the_machine_alone_is_enough_where_one_state_works() -> None:
    assert bind(machine(charging=None), {"shop.checkout": plain})["charging.running"].plain


@pytest.mark.parametrize(
    ("function", "is_plain"),
    [(charge, False), (partial(charge), False), (Charger(), False), (plain, True), (partial(plain), True)],
)
def test_async_functions_are_told_from_plain_ones(function: Any, is_plain: bool) -> None:
    assert bind(machine(charging=None), {"shop.checkout": function})["charging.running"].plain is is_plain


@pytest.mark.parametrize(
    ("runs", "handlers", "message", "hint"),
    [
        (
            {"charging": "no_such_module:charge"},
            {},
            "machine `shop.checkout`, state `charging.running`: looked for `no_such_module:charge`, and there is"
            " no module `no_such_module`",
            "PYTHONPATH",
        ),
        (
            {"charging": "payments_b:chrage"},
            {},
            "machine `shop.checkout`, state `charging.running`: looked for `payments_b:chrage`, and `payments_b` has no"
            " function `chrage`",
            "did you mean `charge`?",
        ),
        ({"charging": "payments_b:rate"}, {}, "`payments_b` has `rate`, which is no function", "there is `charge`"),
        ({"charging": "breaks_b:x"}, {}, "importing `breaks_b` raised RuntimeError: at import", ""),
        ({"charging": "needs_b:x"}, {}, "`needs_b` imports `not_installed_b`, which is not installed", ""),
        ({"charging": None}, {}, "state `charging.running`: no handler", "bind one to `shop.checkout.charging`"),
        ({"a": "x:y", "b": "x:y"}, {"shop.checkout": plain}, "`shop.checkout` must say which state it means", "`a`"),
        ({"charging": "x:y"}, {"shop.checkout.chargin": plain}, "no state `chargin`", "did you mean `charging`?"),
        ({"charging": "x:y"}, {"shop.checkout.charging": 7}, "7 is no function", ""),
        ({"charging": "x:y"}, {"shop": plain}, "`shop` names no machine", "module.machine"),
    ],
)
def test_a_missing_handler_says_what_was_looked_for_and_where(
    modules: Path, runs: dict[str, str | None], handlers: Mapping[str, Any], message: str, hint: str
) -> None:
    (modules / "payments_b.py").write_text("async def charge(task): ...\nrate = 1\n")
    (modules / "breaks_b.py").write_text("raise RuntimeError('at import')\n")
    (modules / "needs_b.py").write_text("import not_installed_b\n")
    with pytest.raises(HandlerError) as raised:
        bind(machine(**runs), handlers)
    assert message in str(raised.value)
    assert hint in (raised.value.hint or "")
