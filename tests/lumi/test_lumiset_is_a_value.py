"""A set never changes, hashes like its content and survives copying."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given

from certifier.lumi import LumiSet
from tests.lumi.strategies import lumi_sets


def test_it_does_not_change() -> None:
    found = LumiSet.parse("1-4")
    with pytest.raises(AttributeError, match="does not change"):
        found.bits = 0
    with pytest.raises(AttributeError, match="does not change"):
        del found.bits
    with pytest.raises(AttributeError):
        found.comment = "x"
    before = found
    found |= LumiSet.parse("9")
    assert str(before) == "1-4"
    assert str(found) == "1-4 9"


@given(lumi_sets)
def test_it_is_equal_to_its_copies(found: LumiSet) -> None:
    copies = [copy.copy(found), copy.deepcopy(found), pickle.loads(pickle.dumps(found)), LumiSet.from_bits(found.bits)]
    assert {found} == set(copies)
    assert hash(found) == hash(copies[-1])


def test_it_is_empty_when_made_of_nothing() -> None:
    assert LumiSet() == LumiSet.parse("") == LumiSet.from_ranges([]) == LumiSet.from_numbers([]) == LumiSet.whole(0)
    assert not LumiSet()
    assert LumiSet().first is None
    assert LumiSet().last is None
