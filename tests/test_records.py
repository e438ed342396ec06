"""Data classes that are quickly made behave as the standard ones do."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from dataclasses import field, fields, replace
from typing import Any

import pytest

from tcalc.records import dataclass


@dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: int = 2
    note: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Single:
    x: int


@dataclass(frozen=True, slots=True)
class Empty:
    pass


@dataclass(slots=True)
class Changing:
    x: int


@dataclass(frozen=True, slots=True, eq=False)
class Itself:
    x: int


@dataclasses.dataclass(frozen=True, slots=True)
class Standard:
    x: int
    y: int = 2
    note: str = field(default="", compare=False, repr=False)


def test_fields_are_compared_and_hashed_where_they_are_to_be() -> None:
    assert Point(1) == Point(1, 2, "other") != Point(1, 3)
    assert hash(Point(1)) == hash(Point(1, 2, "other"))
    assert Single(1) == Single(1) != Point(1) != Standard(1)
    assert len({Empty(), Empty(), Single(3), Single(3)}) == 2


def test_what_may_change_has_no_hash() -> None:
    assert Changing(1) == Changing(1)
    with pytest.raises(TypeError):
        hash(Changing(1))


def test_without_equality_each_is_itself_only() -> None:
    one = Itself(1)
    assert one != Itself(1) and one == one
    assert len({one, Itself(1)}) == 2


def test_they_are_written_as_the_standard_ones_are() -> None:
    assert repr(Point(1)) == repr(Standard(1)).replace("Standard", "Point")
    assert repr(Empty()) == "Empty()"


@pytest.mark.parametrize("record", [Point(1, note="a"), Single(1), Empty(), Changing(1)])
def test_the_functions_for_data_classes_take_them(record: Any) -> None:
    assert replace(record) == copy.copy(record) == pickle.loads(pickle.dumps(record)) == record
    assert [x.name for x in fields(record)] == list(type(record).__slots__)
