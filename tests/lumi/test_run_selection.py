"""Which runs are meant: `358031-364292 364300`; empty text means all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certifier.lumi import LARGEST_RUN, LumiError, RunSelection


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("358031-364292 364300", "358031-364292 364300"),
        ("364300, 358031-364292", "358031-364292 364300"),
        ("5 6 7", "5-7"),
        ("1-10 3-4 9-12", "1-12"),
        ("", ""),
        ("  ", ""),
        (f"1-{LARGEST_RUN}", ""),
    ],
)
def test_it_reads_runs_and_ranges(text: str, canonical: str) -> None:
    assert str(RunSelection.parse(text)) == canonical


def test_it_selects_every_run_for_empty_text() -> None:
    for every in (RunSelection.parse(""), RunSelection()):
        assert every.is_all
        assert every.ranges() == [(1, LARGEST_RUN)]
        assert 1 in every
        assert LARGEST_RUN in every
    assert not RunSelection.parse("5").is_all


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 9)), min_size=1))
def test_it_holds_the_runs_of_its_ranges(starts: list[tuple[int, int]]) -> None:
    ranges = [(first, first + more) for first, more in starts]
    expected = {run for first, last in ranges for run in range(first, last + 1)}
    selection = RunSelection(ranges)
    assert {run for run in range(-1, 75) if run in selection} == expected
    assert {run for first, last in selection.ranges() for run in range(first, last + 1)} == expected
    assert RunSelection.parse(str(selection)) == selection
    assert hash(RunSelection.parse(str(selection))) == hash(selection)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("364292-358031", '"364292-358031": the range is reversed; write 358031-364292'),
        ("0", "there is no run 0"),
        ("-5", '"-5": runs are numbered from 1'),
        ("358031-", '"358031-": an end of the range is missing'),
        ("all", '"all": not a run or range'),
        ("٣", "not a run or range"),
        ("2147483648", "typing error"),
        ("1-99999999999", "typing error"),
        (",", "no number between the commas"),
        ("5-end", "write the number"),
    ],
)
def test_it_refuses_what_names_no_runs(text: str, message: str) -> None:
    with pytest.raises(LumiError, match=message):
        RunSelection.parse(text)


def test_it_refuses_a_selection_of_nothing() -> None:
    with pytest.raises(LumiError, match="no run is selected"):
        RunSelection([])
    with pytest.raises(LumiError, match="is not text"):
        RunSelection.parse(None)  # type: ignore[arg-type]
    assert "358031" not in RunSelection()
