"""`jetpackc.records.dataclass` makes what the standard library's makes.

Each test holds a class made by ours beside the same class made by the standard one. It would break where ours forgot a
default, compared a field that takes no part, or let a frozen object be changed.
"""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, field, fields, is_dataclass, replace
from functools import cached_property
from typing import Any

import pytest

from jetpackc.records import dataclass, replace as replaced

Maker = Callable[..., Any]
MAKERS: list[Maker] = [dataclass, dataclasses.dataclass]
SHAPES = [{"frozen": True, "slots": True}, {"frozen": True}, {"slots": True}, {}]


def _point(maker: Maker, shape: dict[str, bool]) -> Any:
    @maker(**shape)
    class Point:
        """A place."""

        x: int
        y: int = 2
        tags: list[str] = field(default_factory=list)
        note: str = field(default="", compare=False, repr=False)

        @property
        def sum(self) -> int:
            return self.x + self.y

    return Point


@pytest.mark.parametrize("shape", SHAPES)
def test_what_comes_out_is_a_dataclass_like_the_standard_one(shape: dict[str, bool]) -> None:
    ours, theirs = (_point(maker, shape) for maker in MAKERS)

    def seen(point: Any) -> list[object]:
        one = point(1, note="n")
        found = [one == point(1), one == point(1, 3), one != 1, one.sum, repr(one), one.tags is point(1).tags]
        found += [replace(one, y=5).y, replace(one, y=5).note, dataclasses.asdict(one), is_dataclass(one)]
        found += [[(each.name, each.compare, each.default) for each in fields(point)], point.__match_args__]
        return [*found, point.__name__, point.__qualname__, point.__module__, point.__doc__, hasattr(one, "__dict__")]

    assert seen(ours) == seen(theirs)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_call_that_does_not_fit_is_refused(shape: dict[str, bool]) -> None:
    point = _point(dataclass, shape)
    for _ in range(2):  # the first call writes the method that the second one uses
        for wrong in ({}, {"x": 1, "z": 2}):
            with pytest.raises(TypeError, match="argument"):
                point(**wrong)
        with pytest.raises(TypeError, match="argument"):
            point(1, 2, [], "", 5)


@pytest.mark.parametrize("shape", SHAPES)
def test_only_frozen_ones_refuse_to_be_changed_and_have_a_hash(shape: dict[str, bool]) -> None:
    @dataclass(**shape)
    class Pair:
        left: int
        right: str = field(default="", compare=False)

    pair = Pair(1, "a")
    if shape.get("frozen"):
        with pytest.raises(FrozenInstanceError, match="left"):
            pair.left = 2
        with pytest.raises(FrozenInstanceError, match="left"):
            del pair.left
        assert hash(pair) == hash(Pair(1, "b"))
        assert pair.left == 1
    else:
        pair.left = 2
        assert pair == Pair(2)
        with pytest.raises(TypeError, match="unhashable"):
            hash(pair)


@dataclass(frozen=True, slots=True)
class Leaf:
    value: int
    note: str = field(default="", compare=False)


@dataclass(frozen=True)
class Branch:
    leaves: tuple[Leaf, ...]

    @cached_property
    def total(self) -> int:
        return sum(leaf.value for leaf in self.leaves)


@dataclass(slots=True)
class Bag:
    leaves: list[Leaf]


@dataclass(frozen=True, slots=True)
class Nothing:
    pass


@pytest.mark.parametrize("record", [Leaf(1, "n"), Branch((Leaf(1), Leaf(2))), Bag([Leaf(3)]), Nothing()])
def test_a_record_comes_whole_out_of_a_pickle(record: object) -> None:
    again = pickle.loads(pickle.dumps(record))
    assert again == record
    assert repr(again) == repr(record)


def test_a_record_matches_by_place_and_by_name() -> None:
    match Branch((Leaf(1, "n"),)):
        case Branch((Leaf(value, note=note),)):
            assert (value, note) == (1, "n")
        case _:
            pytest.fail("no match")


@pytest.mark.parametrize("shape", SHAPES)
def test_a_record_is_replaced_as_the_standard_library_does(shape: dict[str, bool]) -> None:
    one = _point(dataclass, shape)(1, 3, ["t"], note="n")
    for change in ({}, {"x": 2}, {"y": None, "tags": []}, {"note": ""}):
        ours, theirs = replaced(one, **change), replace(one, **change)
        assert (ours, ours.note, ours.tags) == (theirs, theirs.note, theirs.tags)
    assert replaced(one).tags is one.tags
    assert replaced(_point(dataclasses.dataclass, shape)(1), x=2).x == 2
    with pytest.raises(TypeError, match="argument"):
        replaced(one, z=1)


def test_records_of_two_classes_differ_though_their_fields_are_equal() -> None:
    @dataclass(frozen=True, slots=True)
    class Other:
        value: int
        note: str = field(default="", compare=False)

    assert Leaf(1) != Other(1)
    assert Nothing() == Nothing()
    assert Branch((Leaf(1),)).total == 1
