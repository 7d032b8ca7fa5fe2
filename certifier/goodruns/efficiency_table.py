"""The efficiency table as a file for spreadsheets."""

from __future__ import annotations

from django.http import HttpResponse

from .efficiency import Efficiency, Row
from .formats import safe_csv


def csv_of(table: Efficiency) -> str:
    """A line per period; shares in percent, luminosities in inverse picobarn, nothing where nothing is known."""
    codes = [code for code, _ in table.columns]
    header = ["project", "period", "runs", "runs_without_luminosity", "recorded_inv_pb", "good_inv_pb", *codes]
    lines = [[*_facts(row), *map(_percent, shares), _percent(row.good_share)] for row, shares in table.lines]
    return safe_csv.write([*header, "all_good"], lines)


def _facts(row: Row) -> list[object]:
    known = bool(row.recorded)
    amounts = [f"{amount / 1e3:.6g}" if known else None for amount in (row.recorded, row.good)]
    return [row.project, row.period or "all", row.runs, row.unknown, *amounts]


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{100 * share:.3f}"


def csv_response(text: str, name: str) -> HttpResponse:
    response = HttpResponse(text, content_type="text/csv")
    response["Content-Disposition"] = f'attachment; filename="efficiency-{name}.csv"'
    response["X-Content-Type-Options"] = "nosniff"
    return response
