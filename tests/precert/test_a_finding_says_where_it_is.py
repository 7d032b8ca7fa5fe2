"""What stands on a page about a finding: along which axes, by number where things are numbered, or as a whole."""

from __future__ import annotations

from typing import Any

from django.template.loader import render_to_string


def _bin(*ranges: tuple[str, float, float]) -> dict[str, Any]:
    return {
        "element": "MDT/chamber",
        "place": [8, 5],
        "ranges": [list(one) for one in ranges],
        "count": 12,
        "pull": -9.3,
    }


def _evidence(*bins: dict[str, Any]) -> dict[str, Any]:
    return {
        "lumisection": 60,
        "reason": "odd",
        "elements": [{"element": "MDT/chamber", "score": 8.0}],
        "bins": list(bins),
    }


def test_layers_and_wires_are_told_by_their_numbers() -> None:
    html = render_to_string("precert/_evidence.html", {"evidence": _evidence(_bin(("layer", 9, 9), ("wire", 6, 25)))})
    assert "MDT/chamber at layer 9, wire 6 to 25: 12 entries, pull -9.3" in html


def test_what_is_everywhere_is_told_as_a_whole() -> None:
    html = render_to_string("precert/_evidence.html", {"evidence": _evidence(_bin())})
    assert "MDT/chamber as a whole: 12 entries" in html


def test_the_line_of_a_finding_says_it_before_anything_is_unfolded() -> None:
    finding = {"verdict": "bad", "lumisections": "60-75", "evidence": _evidence(_bin(("layer", 9, 9)))}
    rows = [{"finding": finding, "system": {"code": "MDT"}, "at_stake_inv_nb": 1.0}]
    html = render_to_string("precert/_findings_table.html", {"rows": rows, "named": "Findings"})
    summary = html.split("<summary>")[1].split("</summary>")[0]
    assert "layer 9" in summary
    other = finding | {"evidence": _evidence(_bin(("layer", 9, 9)) | {"element": "MDT/other"})}
    html = render_to_string(
        "precert/_findings_table.html", {"rows": [rows[0] | {"finding": other}], "named": "Findings"}
    )
    assert "layer 9" not in html.split("<summary>")[1].split("</summary>")[0]
