"""The evaluator cases of the ATLAS defect database, with the answers that this program gives on purpose."""

from __future__ import annotations

import pytest

from certifier.accounts.models import System
from certifier.runs.models import Run
from tests.cast import make_run
from tests.defects.builders import define, define_all, of_run, present, record, slices

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(lar: System) -> Run:
    return make_run(1000, lumisections=30)


def test_it_takes_recoverable_from_all_true_causes(run: Run) -> None:  # E1
    define_all("A", "B")
    define("V", "A B")
    record(run, "A", "1-9", recoverable=True)
    record(run, "B", "5-14")
    found = of_run(run, "V")
    assert found is not None
    answer = [(str(one.lumisections), one.comment, one.recoverable) for one in found.intervals]
    assert answer == [("1-4", "A", True), ("5-9", "A B", False), ("10-14", "B", False)]
    assert {one.user for one in found.intervals} == {"virtual"}

    record(run, "B", "5-14", recoverable=True)
    found = of_run(run, "V")
    assert found is not None
    assert [one.recoverable for one in found.intervals] == [True, True, True]


def test_it_splits_a_stretch_where_only_recoverable_changes(run: Run) -> None:
    define("A")
    define("V", "A")
    record(run, "A", "1-9")
    record(run, "A", "1-4", recoverable=True)
    found = of_run(run, "V")
    assert found is not None
    assert [(str(one.lumisections), one.recoverable) for one in found.intervals] == [("1-4", True), ("5-9", False)]


def test_it_negates_over_the_whole_run(run: Run) -> None:  # E2
    define_all("A", "B")
    define("V", "B !A")
    record(run, "B", "5-7")
    assert present(run, "V") == "1-30"
    assert slices(run, "V") == [("1-4", "!A"), ("5-7", "!A B"), ("8-30", "!A")]


def test_it_negates_where_nothing_was_recorded(run: Run) -> None:  # E5
    define("A")
    define("V", "not A")
    assert present(run, "V") == "1-30"
    assert of_run(run, "V").intervals[0].recoverable is False  # type: ignore[union-attr]


def test_it_has_nothing_to_negate_in_a_run_without_lumisections(lar: System) -> None:
    define("A")
    define("V", "not A")
    assert present(make_run(1001, lumisections=0), "V") == ""


def test_it_evaluates_nested_definitions(run: Run) -> None:  # E10
    define_all("A", "B")
    define("V", "A")
    define("W", "V B")
    define("X", "!W")
    record(run, "A", "1-9")
    record(run, "B", "8-11 20-21")
    assert slices(run, "W") == [("1-7", "V"), ("8-9", "B V"), ("10-11", "B"), ("20-21", "B")]
    assert slices(run, "X") == [("12-19", "!W"), ("22-30", "!W")]


def test_it_does_not_split_where_only_a_comment_changes(run: Run) -> None:  # E12
    define("A")
    define("V", "A")
    record(run, "A", "1-4", comment="c1")
    record(run, "A", "5-8", comment="c2")
    assert slices(run, "V") == [("1-8", "A")]


def test_it_merges_neighbours_of_equal_payload(run: Run) -> None:  # E13
    define("A")
    record(run, "A", "1-4", comment="same")
    later = record(run, "A", "5-8", comment="same")
    found = of_run(run, "A")
    assert found is not None
    [interval] = found.intervals
    assert (str(interval.lumisections), interval.entered_at) == ("1-8", later.entered_at)


def test_it_ends_an_interval_at_its_last_lumisection(run: Run) -> None:  # E15
    define("A")
    define("V", "A")
    record(run, "A", "12-13")
    assert present(run, "V") == "12-13"


def test_it_answers_the_same_whatever_else_is_asked_for(run: Run) -> None:
    define_all("A", "B")
    define("V", "B !A")
    record(run, "B", "5-7")
    everything = of_run(run, "V")
    assert of_run(run, "V", defects=["V"]) == everything
    assert of_run(run, "V", systems=["lar"]) == everything
    assert of_run(run, "V", absent=True) == everything


def test_it_shows_nothing_after_a_retraction(run: Run) -> None:  # Q2
    define("D0")
    record(run, "D0", "1-30", comment="±5% é")
    found = of_run(run, "D0")
    assert found is not None
    assert found.intervals[0].comment == "±5% é"
    record(run, "D0", "1-30", present=False)
    assert of_run(run, "D0") is None
    absent = of_run(run, "D0", absent=True)
    assert absent is not None
    assert (str(absent.present), str(absent.absent), [one.present for one in absent.intervals]) == ("", "1-30", [False])


def test_it_is_the_or_of_a_list(run: Run) -> None:  # Q3, Q4
    define_all("D0", "D1")
    define("V", "D0 D1")
    record(run, "D0", "1-10")
    record(run, "D1", "15-20")
    assert slices(run, "V") == [("1-10", "D0"), ("15-20", "D1")]
    record(run, "D1", "15-20", present=False)
    assert slices(run, "V") == [("1-10", "D0")]


def test_it_lists_negated_causes(run: Run) -> None:  # Q6
    define_all("D0", "D1", "D2")
    define("V", "D0 D1 !D2")
    record(run, "D0", "1-10")
    record(run, "D1", "15-20")
    record(run, "D2", "5-12")
    assert slices(run, "V") == [
        ("1-4", "!D2 D0"),
        ("5-10", "D0"),
        ("13-14", "!D2"),
        ("15-20", "!D2 D1"),
        ("21-30", "!D2"),
    ]


def test_it_knows_and_and_parentheses(run: Run) -> None:
    define_all("A", "B", "C")
    define("V", "(A or B) and not C")
    record(run, "A", "1-10")
    record(run, "B", "8-12")
    record(run, "C", "5-6")
    assert slices(run, "V") == [("1-4", "!C A"), ("7", "!C A"), ("8-10", "!C A B"), ("11-12", "!C B")]


def test_it_answers_twenty_primaries_one_by_one(run: Run) -> None:  # Q10
    names = [f"D{number}" for number in range(1, 21)]
    define_all(*names)
    define("V", " ".join(names))
    for number, name in enumerate(names, start=1):
        record(run, name, str(number))
    assert slices(run, "V") == [(str(number), f"D{number}") for number in range(1, 21)]
