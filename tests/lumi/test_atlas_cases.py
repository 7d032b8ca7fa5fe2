"""The worked cases of the ATLAS defect database, with the answers that Certifier gives."""

from __future__ import annotations

import pytest

from certifier.lumi import CyclicDefinition, Evaluation, Logic, LumiError, LumiSet, RunLumiMap

LAST = 30


def evaluate(definitions: dict[str, str], recorded: dict[str, str], last: int = LAST) -> Evaluation:
    """Recorded text is inclusive: the interval `[1,10)` of the reference is `1-9` here."""
    logic = Logic(definitions, sorted({"A", "B", "D0", "D1", "D2"} | set(recorded)))
    return logic.evaluate({name: LumiSet.parse(text).bits for name, text in recorded.items()}, LumiSet.whole(last))


def told(evaluation: Evaluation, name: str) -> list[tuple[str, str]]:
    return [(str(stretch), " ".join(causes)) for stretch, causes in evaluation.causes(name)]


def bits(text: str) -> int:
    return LumiSet.parse(text).bits


@pytest.mark.parametrize(("b_recoverable", "expected"), [("", "1-4"), ("5-14", "1-14")])
def test_e1_causes_and_recoverability_per_slice(b_recoverable: str, expected: str) -> None:
    evaluation = evaluate({"V": "A B"}, {"A": "1-9", "B": "5-14"})
    assert told(evaluation, "V") == [("1-4", "A"), ("5-9", "A B"), ("10-14", "B")]
    recoverable = {"A": bits("1-9"), "B": bits(b_recoverable)}
    assert str(evaluation.recoverable("V", recoverable)) == expected


def test_e2_a_negation_holds_on_every_lumisection_of_the_run() -> None:
    evaluation = evaluate({"V": "B !A"}, {"B": "5-7"})
    assert evaluation.present("V") == LumiSet.whole(LAST)
    assert told(evaluation, "V") == [("1-4", "!A"), ("5-7", "!A B"), ("8-30", "!A")]


def test_e5_a_negation_holds_in_a_run_without_any_entry() -> None:
    assert told(evaluate({"V": "!A"}, {}), "V") == [("1-30", "!A")]


def test_e6_lumisection_0_and_what_spans_runs_leave_no_trace() -> None:
    run, largest = 1000, 2**32 - 1
    key = lambda number, lumisection: number << 32 | lumisection  # noqa: E731
    recorded = RunLumiMap.from_iovs(
        [
            (key(run, 0), key(run, 1)),
            (key(run, 1), key(run, 2)),
            (key(run, largest), key(run + 1, 0)),
            (key(run + 1, 0), key(run + 1, 5)),
        ],
        {run: LAST, run + 1: LAST},
    )
    answers = {number: str(evaluate({"V": "A"}, {"A": str(found)}).present("V")) for number, found in recorded.items()}
    assert answers == {run: "1", run + 1: "1-4"}


def test_e10_nested_virtual_defects_and_a_negated_one() -> None:
    evaluation = evaluate({"V": "A", "W": "V B", "X": "!W"}, {"A": "1-9", "B": "8-11 20-21"})
    assert told(evaluation, "W") == [("1-7", "V"), ("8-9", "B V"), ("10-11", "B"), ("20-21", "B")]
    assert told(evaluation, "X") == [("12-19", "!W"), ("22-30", "!W")]


def test_e12_entries_side_by_side_do_not_split_a_virtual_defect() -> None:
    assert told(evaluate({"V": "A"}, {"A": "1-4 5-8"}), "V") == [("1-8", "A")]


def test_e14_a_circle_is_refused_when_it_is_defined() -> None:
    with pytest.raises(CyclicDefinition, match="W -> V -> W"):
        Logic({"W": "V", "V": "W A"}, ["A"])


def test_e15_an_interval_that_starts_at_the_end_of_a_range_is_not_in_it() -> None:
    present = evaluate({"V": "A"}, {"A": "12-13"}).present("V")
    assert not present & LumiSet.from_iovs([(1000 << 32 | 8, 1000 << 32 | 12)], run=1000)


@pytest.mark.parametrize(
    ("case", "expression", "recorded", "expected"),
    [
        ("Q3", "D0 D1", {"D0": "1-99", "D1": "150-199"}, [("1-99", "D0"), ("150-199", "D1")]),
        ("Q4", "D0 D1", {"D0": "1-99"}, [("1-99", "D0")]),
        (
            "Q6",
            "D0 D1 !D2",
            {"D0": "1-99", "D1": "150-199", "D2": "50-124"},
            [("1-49", "!D2 D0"), ("50-99", "D0"), ("125-149", "!D2"), ("150-199", "!D2 D1"), ("200-300", "!D2")],
        ),
        (
            "Q14",
            "D0 D1 D2",
            {"D0": "1-99", "D1": "100-199", "D2": "200-299"},
            [("1-99", "D0"), ("100-199", "D1"), ("200-299", "D2")],
        ),
    ],
)
def test_query_cases(case: str, expression: str, recorded: dict[str, str], expected: list[tuple[str, str]]) -> None:
    assert told(evaluate({"V": expression}, recorded, last=300), "V") == expected, case


def test_q10_twenty_neighbours_make_one_stretch_without_lumisection_0() -> None:
    recorded = {f"D{number}": str(number) for number in range(1, 20)}
    evaluation = evaluate({"V": " ".join(["D0", *recorded])}, recorded)
    assert str(evaluation.present("V")) == "1-19"
    assert len(evaluation.causes("V")) == 19


def test_q20_names_that_differ_in_case_only_exist_already() -> None:
    for definitions, primaries in [
        ({}, ["A_TEST_DEFECT", "A_test_defect"]),
        ({"a_test_Defect": "A"}, ["A_TEST_DEFECT", "A"]),
    ]:
        with pytest.raises(LumiError, match="names ignore case"):
            Logic(definitions, primaries)


def test_q21_names_are_ascii() -> None:
    for definitions, primaries in [({}, ["DÉFAUT"]), ({"DÉFAUT": "A"}, ["A"])]:
        with pytest.raises(LumiError, match="cannot name a defect"):
            Logic(definitions, primaries)


def test_q23_names_are_found_in_any_case_and_told_as_defined() -> None:
    logic = Logic({"Test_Virtual": "dqd_TEST_defect_0"}, ["dQd_tEsT_DeFeCt_0"])
    assert logic.spelled("DQD_TEST_DEFECT_0") == "dQd_tEsT_DeFeCt_0"
    evaluation = logic.evaluate({"DQD_test_DEFECT_0": bits("3-4")}, LumiSet.whole(9))
    assert evaluation.causes("TEST_VIRTUAL") == [(LumiSet.parse("3-4"), ("dQd_tEsT_DeFeCt_0",))]


@pytest.mark.parametrize(
    ("case", "expression", "recorded", "expected"),
    [
        ("A1", "A or B", {"A": "1-9 20-29", "B": "5-24"}, "1-29"),
        ("A2", "A and B", {"A": "1-9 20-29", "B": "5-24"}, "5-9 20-24"),
        ("A5 or", "A or B", {"A": "1-9 20-29"}, "1-9 20-29"),
        ("A5 and", "A and B", {"A": "1-9 20-29"}, ""),
        ("A6 or", "A or B", {"A": "1-9", "B": "10-19"}, "1-19"),
        ("A6 and", "A and B", {"A": "1-9", "B": "10-19"}, ""),
        ("A7", "A or B", {"A": "1-9 10-19", "B": "3"}, "1-19"),
    ],
)
def test_interval_algebra(case: str, expression: str, recorded: dict[str, str], expected: str) -> None:
    assert str(evaluate({"V": expression}, recorded).present("V")) == expected, case


def test_a8_a_range_is_a_set_to_intersect_with() -> None:
    found = LumiSet.parse("1-9 20-29")
    assert str(found & LumiSet.parse("5-21")) == "5-9 20-21"
    assert str(found & LumiSet.parse("10-19")) == ""


def test_a9_slices_of_two_sets() -> None:
    evaluation = evaluate({"V": "A B"}, {"A": "1-9 20-29", "B": "5-24"})
    assert told(evaluation, "V") == [("1-4", "A"), ("5-9", "A B"), ("10-19", "B"), ("20-24", "A B"), ("25-29", "A")]


def test_and_without_auxiliary_defects() -> None:
    """In ATLAS an `and` needs `A_ = !A`, `B_ = !B`, `N_ = A_ B_`, `N = !N_`."""
    recorded = {"A": "1-9", "B": "5-14"}
    old = evaluate({"A_": "!A", "B_": "!B", "N_": "A_ B_", "N": "!N_"}, recorded)
    new = evaluate({"N": "A and B"}, recorded)
    assert str(old.present("N")) == str(new.present("N")) == "5-9"
    assert told(new, "N") == [("5-9", "A B")]
