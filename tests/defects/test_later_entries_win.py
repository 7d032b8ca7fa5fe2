"""Whatever was said in whatever order, the answer is that of asking lumisection by lumisection for the last word."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from certifier.accounts.models import System
from certifier.defects import services
from certifier.defects.entry_input import NewEntry
from certifier.defects.models import Defect, Entry
from certifier.defects.resolution import State, states
from certifier.defects.selectors import run_defects
from certifier.lumi import LumiSet
from certifier.runs.models import Run
from tests.cast import make_run
from tests.defects.builders import define_all

pytestmark = pytest.mark.django_db

LAST = 12
DEFECTS = ("A", "B")


@dataclass(frozen=True)
class Word:
    run: int
    defect: str
    numbers: frozenset[int]
    present: bool
    recoverable: bool
    comment: str


words = st.lists(
    st.builds(
        Word,
        run=st.sampled_from([1, 2]),
        defect=st.sampled_from(DEFECTS),
        numbers=st.frozensets(st.integers(1, LAST), min_size=1),
        present=st.booleans(),
        recoverable=st.booleans(),
        comment=st.sampled_from(["", "x", "y"]),
    ),
    max_size=12,
)


@pytest.fixture
def world(lar: System) -> dict[int, Run]:
    define_all(*DEFECTS)
    return {number: make_run(number, lumisections=LAST) for number in (1, 2)}


def say(said: list[Word]) -> list[Entry]:
    new = [
        NewEntry(
            run=word.run,
            defect=word.defect,
            lumisections=LumiSet.from_numbers(word.numbers),
            present=word.present,
            recoverable=word.recoverable,
            comment=word.comment,
        )
        for word in said
    ]
    return services.record_entries(actor=None, entries=new, source="rest") if new else []


def last_word(said: list[Word], run: int, defect: str, number: int) -> int | None:
    """The place of the word that holds on the lumisection."""
    places = [
        place for place, word in enumerate(said) if (word.run, word.defect) == (run, defect) and number in word.numbers
    ]
    return places[-1] if places else None


@contextmanager
def taken_back() -> Iterator[None]:
    """Entries are for ever: the example after this one begins without these only if they were never committed."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=words, cut=st.integers(0, 12))
def test_states_are_the_last_words(world: dict[int, Run], said: list[Word], cut: int) -> None:
    with taken_back():
        rows = say(said)
        up_to = rows[cut - 1].pk if 0 < cut <= len(rows) else None
        counted = said[:cut] if up_to is not None else said
        keys = {defect.name: defect.pk for defect in Defect.objects.all()}
        found = dict(states(runs=None, up_to=up_to))
        assert list(found) == sorted(found)
        for run in (1, 2):
            of_run = found.get(world[run].pk, {})
            for defect in DEFECTS:
                expected = [0, 0, 0]
                for number in range(1, LAST + 1):
                    place = last_word(counted, run, defect, number)
                    if place is not None:
                        word = counted[place]
                        expected[0] |= word.present << number
                        expected[1] |= (not word.present) << number
                        expected[2] |= (word.present and word.recoverable) << number
                spoken_of = any((word.run, word.defect) == (run, defect) for word in counted)
                assert of_run.get(keys[defect]) == (State(*expected) if spoken_of else None)
        assert dict(states(runs=[world[2].pk], up_to=up_to)) == {
            pk: of for pk, of in found.items() if pk == world[2].pk
        }
        only_b = dict(states(runs=None, up_to=up_to, defects=[keys["B"]]))
        assert only_b == {pk: {keys["B"]: of[keys["B"]]} for pk, of in found.items() if keys["B"] in of}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=words)
def test_intervals_are_the_last_words(world: dict[int, Run], said: list[Word]) -> None:
    with taken_back():
        rows = say(said)
        answer = {one.defect: one for one in run_defects(world[1], absent=True).defects}
        for defect in DEFECTS:
            intervals = answer[defect].intervals if defect in answer else []
            places = {number: last_word(said, 1, defect, number) for number in range(1, LAST + 1)}
            covered: dict[int, object] = {}
            for one in intervals:
                [(first, last)] = one.lumisections.ranges()
                here = {places[number] for number in range(first, last + 1)}
                for number in range(first, last + 1):
                    assert number not in covered
                    covered[number] = (one.present, one.recoverable, one.comment)
                assert one.entered_at == max(rows[place].entered_at for place in here if place is not None)
            payloads = {
                number: (said[place].present, said[place].recoverable, said[place].comment)
                for number, place in places.items()
                if place is not None
            }
            assert covered == payloads
            starts = [one.lumisections.first for one in intervals]
            assert starts == sorted(starts)  # type: ignore[type-var]
            for one, next_one in pairwise(intervals):
                touching = one.lumisections.last + 1 == next_one.lumisections.first  # type: ignore[operator]
                equal = (one.present, one.recoverable, one.comment) == (
                    next_one.present,
                    next_one.recoverable,
                    next_one.comment,
                )
                assert not (touching and equal)
