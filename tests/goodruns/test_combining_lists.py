"""And, or, minus and xor of lists are those of their lumisections, and the new list knows its parents."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certifier.accounts.models import User
from certifier.accounts.permissions import NotAllowed
from certifier.audit.models import AuditEvent
from certifier.goodruns import comparing, formats, services
from certifier.goodruns.contents import content_of
from certifier.goodruns.formats import golden_json
from certifier.goodruns.models import GoodRunList
from certifier.lumi import LumiSet, RunLumiMap
from certifier.runs.models import Change
from tests.goodruns.test_golden_json import contents

pytestmark = pytest.mark.django_db

ONE = RunLumiMap({1: LumiSet.parse("1-4"), 2: LumiSet.parse("1")})
TWO = RunLumiMap({1: LumiSet.parse("3-6"), 3: LumiSet.parse("9")})


def make(name: str, content: RunLumiMap) -> GoodRunList:
    file = formats.read(golden_json.write(content).encode())
    return services.import_list(actor=None, name=name, file=file, source=f"{name}.json")


def pairs(content: RunLumiMap) -> set[tuple[int, int]]:
    return {(run, number) for run, lumisections in content.items() for number in lumisections.numbers()}


@given(st.lists(contents, min_size=2, max_size=4))
def test_it_is_what_sets_make(given_contents: list[RunLumiMap]) -> None:
    sets = [pairs(content) for content in given_contents]
    xor = set[tuple[int, int]]()
    for each in sets:
        xor ^= each
    expected = {
        "and": set.intersection(*sets),
        "or": set.union(*sets),
        "minus": sets[0].difference(*sets[1:]),
        "xor": xor,
    }
    for operation, numbers in expected.items():
        assert pairs(services.combined(operation, given_contents)) == numbers


@given(contents, contents)
def test_a_difference_is_what_only_one_has(first: RunLumiMap, second: RunLumiMap) -> None:
    only_first, only_second = pairs(first) - pairs(second), pairs(second) - pairs(first)
    found = comparing.compare(first, second)
    ours = {(each.run, number) for each in found.runs for number in each.only_first.numbers()}
    theirs = {(each.run, number) for each in found.runs for number in each.only_second.numbers()}
    assert (ours, theirs) == (only_first, only_second)
    assert found.common.lumisections == len(pairs(first) & pairs(second))
    assert (found.first.lumisections, found.second.lumisections) == (len(only_first), len(only_second))


def test_it_keeps_its_parents_and_tells_of_itself(chi: User) -> None:
    one, two = make("one", ONE), make("two", TWO)
    list_ = services.combine(actor=chi, operation="or", lists=[one, two], name="both")
    assert content_of(list_) == ONE | TWO
    assert [parent["name"] for parent in list_.provenance["parents"]] == ["one", "two"]
    event = AuditEvent.objects.get(code="goodruns.combine_lists")
    assert (event.actor_name, event.data["operation"]) == ("chi", "or")
    assert Change.objects.filter(kind="goodruns.list").count() == 3


def test_it_may_be_empty() -> None:
    one = make("one", ONE)
    list_ = services.combine(actor=None, operation="xor", lists=[one, one], name="nothing")
    assert (list_.run_count, list_.lumisection_count) == (0, 0)
    assert list_.sha256 == golden_json.sha256(RunLumiMap())


def test_it_returns_the_list_that_is_there_only_when_it_was_made_alike() -> None:
    one, two = make("one", ONE), make("two", TWO)
    first = services.combine(actor=None, operation="and", lists=[one, two], name="both")
    again = services.combine(actor=None, operation="and", lists=[one, two], name="both")
    assert (again.pk, again.already_there) == (first.pk, True)
    with pytest.raises(services.ListExists, match="was made in another way"):
        services.combine(actor=None, operation="and", lists=[two, one], name="both")
    assert AuditEvent.objects.filter(code="goodruns.combine_lists").count() == 1


@pytest.mark.parametrize(
    ("operation", "count", "field"), [("nand", 2, "operation"), ("and", 1, "lists"), ("and", 51, "lists")]
)
def test_it_refuses_what_cannot_be_combined(operation: str, count: int, field: str) -> None:
    one = make("one", ONE)
    with pytest.raises(services.ListRefused) as refusal:
        services.combine(actor=None, operation=operation, lists=[one] * count, name="x")
    assert refusal.value.errors[0]["field"] == field


def test_it_refuses_a_shifter_every_way_to_publish(ben: User) -> None:
    one = make("one", ONE)
    file = formats.read(b'{"1": [[1, 2]]}')
    with pytest.raises(NotAllowed):
        services.combine(actor=ben, operation="and", lists=[one, one], name="x")
    with pytest.raises(NotAllowed):
        services.import_list(actor=ben, name="x", file=file, source="x.json")
    with pytest.raises(NotAllowed):
        services.attach_document(actor=ben, list_=one, name="x.json", content={})
    assert GoodRunList.objects.count() == 1


def test_it_refuses_a_document_that_is_too_large() -> None:
    with pytest.raises(services.ListRefused, match="larger than"):
        services.attach_document(actor=None, list_=make("one", ONE), name="x.json", content="x" * 2_000_001)
