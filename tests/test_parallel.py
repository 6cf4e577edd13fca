"""Work shared out among processes: it comes out as it would in one.

A process with threads does not share out, and pytest's own may have some: each test asks a process of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import ParamSpec, TypeVar

import pytest

from jetpackc.check import compile_sources
from jetpackc.migrate.build import Build, build
from jetpackc.parallel import FEWEST, mapped
from jetpackc.source import Source

P = ParamSpec("P")
R = TypeVar("R")

CORES = os.sched_getaffinity(0)
MACHINE = """
machine m{number}(order_id: bigint) {{
  initial state open {{ on GO(amount: numeric) when amount > {number} -> done }}
  final state done
}}
"""


def alone(call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """What a call gives in a process that has nothing else to do."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(call, *args, **kwargs).result()


def workers(things: int, cores: int) -> list[tuple[int, int]]:
    """Each thing, and the process that had it."""
    os.sched_setaffinity(0, set(sorted(CORES)[:cores]))
    return mapped(lambda number: (number, os.getpid()), range(things))


def test_many_things_are_shared_out_and_come_back_in_order() -> None:
    made = alone(workers, FEWEST + 1, 8)
    assert [number for number, _ in made] == list(range(FEWEST + 1))
    assert len({process for _, process in made}) == min(len(CORES), 8)


@pytest.mark.parametrize(("things", "cores"), [(FEWEST - 1, 8), (FEWEST, 1)])
def test_few_things_or_one_core_are_not_worth_a_process(things: int, cores: int) -> None:
    assert len({process for _, process in alone(workers, things, cores)}) == 1


def failing() -> list[float]:
    return mapped(lambda number: 1 / (number - FEWEST + 1), range(FEWEST))


def test_an_error_is_raised_as_it_would_be_in_one_process() -> None:
    with pytest.raises(ZeroDivisionError):
        alone(failing)


def dying() -> list[int]:
    here = os.getpid()
    return mapped(lambda number: number if os.getpid() == here else os._exit(1), range(FEWEST))


def test_what_a_process_that_dies_ought_to_have_made_is_made_all_the_same() -> None:
    assert alone(dying) == list(range(FEWEST))


def children_left() -> bool:
    workers(FEWEST, 8)
    with pytest.raises(ZeroDivisionError):
        failing()
    with pytest.raises(ZeroDivisionError):
        mapped(lambda number: 1 // number, range(FEWEST))  # here, while the others are at work
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True


def test_no_process_is_left_behind() -> None:
    assert not alone(children_left)


def built(cores: int) -> Build:
    os.sched_setaffinity(0, set(sorted(CORES)[:cores]))
    text = "module m\n" + "".join(MACHINE.format(number=number) for number in range(FEWEST))
    result = compile_sources([Source("workflows.jet", text)])
    assert result.program is not None
    return build(result.program, None, first_number=1, version="1", sources=["workflows.jet"])


def test_a_build_is_the_same_on_any_number_of_cores() -> None:
    assert alone(built, 1) == alone(built, 8)


WRONG = """
machine w{number}(order_id: bigint) {{
  initial state open {{
    on GO -> dont
    on STOP when order_id > null -> done
  }}
  state nowhere
  final state done
}}
"""


def told(cores: int) -> list[str]:
    os.sched_setaffinity(0, set(sorted(CORES)[:cores]))
    made = "".join((WRONG if number % 3 == 1 else MACHINE).format(number=number) for number in range(FEWEST))
    return [repr(one) for one in compile_sources([Source("workflows.jet", f"module m\n{made}")]).diagnostics]


def test_mistakes_are_the_same_on_any_number_of_cores() -> None:
    found = alone(told, 1)
    assert len([one for one in found if "unknown state `dont`" in one]) == len(range(1, FEWEST, 3))
    assert alone(told, 8) == found
