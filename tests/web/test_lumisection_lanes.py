"""A lane shows each range where it lies: lumisection n of `last` covers (n-1)/last to n/last of the width."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certifier.lumi import LumiSet
from certifier.web.templatetags.lumisections import (
    MIN_WIDTH,
    WIDTH,
    axis_step,
    lane,
    lane_parts,
    ls_axis,
    profile,
    share,
)
from tests.web.rendering import rendered

SLACK = 0.11  # positions are printed with one decimal


def rects(svg: str) -> list[dict[str, str]]:
    return [{**rect.attrib, "title": rect.findtext("title") or ""} for rect in ET.fromstring(svg).iter("rect")]


def test_it_draws_the_range_of_the_drawing() -> None:
    (rect,) = rects(lane(LumiSet.parse("118-132"), 719, "int"))
    assert (rect["x"], rect["width"], rect["class"], rect["title"]) == ("162.7", "20.9", "int", "118-132")


def test_it_takes_a_lumiset_its_text_pairs_and_nothing() -> None:
    expected = lane(LumiSet.parse("5-9 12"), 100)
    assert lane("5-9 12", 100) == expected
    assert lane([(5, 9), (12, 12)], 100) == expected
    assert rects(lane(None, 100)) == rects(lane("", 100)) == []


numbers = st.sets(st.integers(1, 3000), max_size=40)


@given(numbers, st.integers(1, 3000))
def test_it_gives_every_range_of_the_run_one_rectangle_in_its_place(chosen: set[int], last: int) -> None:
    ranges = [(first, min(end, last)) for first, end in LumiSet.from_numbers(chosen).ranges() if first <= last]
    drawn = rects(lane(LumiSet.from_numbers(chosen), last))
    assert len(drawn) == len(ranges)
    for rect, (first, end) in zip(drawn, ranges, strict=True):
        x, width = float(rect["x"]), float(rect["width"])
        left, right = (first - 1) * WIDTH / last, end * WIDTH / last
        assert x >= 0
        assert x + width <= WIDTH + SLACK
        assert x <= left + SLACK
        assert x + width >= right - SLACK
        assert width == pytest.approx(max(right - left, MIN_WIDTH), abs=SLACK)


def test_it_keeps_one_lumisection_of_a_long_run_visible_and_inside() -> None:
    (rect,) = rects(lane("5000", 5000))
    assert float(rect["width"]) == MIN_WIDTH
    assert float(rect["x"]) + float(rect["width"]) <= WIDTH


def test_it_draws_nothing_for_a_run_without_lumisections() -> None:
    assert rects(lane("1-4", 0)) == []
    assert ls_axis(0) == ""
    assert "nothing" in profile([])


def test_it_shades_the_selection_behind_the_ranges() -> None:
    drawn = rects(lane("3", 10, selected="2-4"))
    assert [rect["class"] for rect in drawn] == ["sel", "tol"]
    assert (drawn[0]["x"], drawn[0]["width"]) == ("100.0", "300.0")


def test_it_draws_several_sets_in_order_on_one_lane() -> None:
    svg = lane_parts([("1-4", "good", "good"), ("5", "bad", "bad"), (None, "unsure", "unsure")], 10, label="machine")
    assert [(rect["class"], rect["title"]) for rect in rects(svg)] == [("good", "good 1-4"), ("bad", "bad 5")]
    assert ET.fromstring(svg).attrib["aria-label"] == "machine: good 1-4; bad 5; unsure nowhere"


def test_it_tells_screen_readers_what_the_lane_shows() -> None:
    assert ET.fromstring(lane("1-4 9", 10, label="LAR_X")).attrib["aria-label"] == "LAR_X: 1-4 9"
    assert ET.fromstring(lane(None, 10, label="LAR_X")).attrib["aria-label"] == "LAR_X: none"


def test_it_escapes_labels_and_words() -> None:
    evil = '"><script>x</script>'
    page = rendered(
        "{% lane '1' 9 label=evil %}{% lane_parts parts 9 label=evil %}"
        "{% profile values label=evil %}{% share parts2 label=evil %}",
        evil=evil,
        parts=[("1", "good", evil)],
        values=[1.0, 2.0],
        parts2=[(1, "good", evil)],
    )
    assert "<script>" not in page
    assert page.count("&lt;script&gt;") >= 6


def test_it_refuses_a_kind_that_has_no_colour() -> None:
    with pytest.raises(ValueError, match="no kind of lane 'red'"):
        lane("1", 9, "red")


def test_it_draws_a_quantity_from_zero_to_its_highest_value() -> None:
    path = re.search(r' d="([^"]+)"', profile([0.0, 5.0, None, float("nan"), 10.0], height=50))
    assert path is not None
    assert path[1] == "M0 50V50.0H200.0V26.0H400.0V50.0H600.0V50.0H800.0V2.0H1000.0V50Z"


def test_it_bins_a_long_run_and_keeps_its_peaks() -> None:
    values = [1.0] * 5000
    values[4321] = 100.0
    svg = profile(values, height=100)
    assert svg.count("H") <= 1000
    assert "V4.0H" in svg


@pytest.mark.parametrize(("last", "step"), [(1, 1), (8, 1), (9, 2), (40, 5), (719, 100), (1500, 200), (5000, 1000)])
def test_it_numbers_the_axis_in_round_steps(last: int, step: int) -> None:
    assert axis_step(last) == step
    ticks = [int(text.text or 0) for text in ET.fromstring(ls_axis(last)).iter("text")]
    assert ticks[0] == 1
    assert all(tick % step == 0 for tick in ticks[1:])
    assert len(ticks) <= 9
    assert ticks == sorted(set(ticks))


def test_it_places_the_axis_over_the_lanes() -> None:
    places = {text.text: text.attrib["x"] for text in ET.fromstring(ls_axis(719)).iter("text")}
    assert places["100"] == "13.77%"


def test_it_splits_a_bar_in_proportion() -> None:
    drawn = rects(share([(3, "good", "reviewed"), (1, "none", "not scored"), (0, "bad", "bad")]))
    assert [(rect["x"], rect["width"]) for rect in drawn] == [("0.0", "750.0"), ("750.0", "250.0")]
    assert "75.0% reviewed" in share([(3, "good", "reviewed"), (1, "none", "not scored")])
    assert "nothing yet" in share([(0, "good", "reviewed"), (None, "bad", "bad")])  # type: ignore[list-item]
