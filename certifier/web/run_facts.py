"""A run in words: the facts of its header, and the longer list beside."""

from __future__ import annotations

from typing import Any

from .run_page import RunPage
from .templatetags.luminosity import lumi, percent
from .templatetags.times import duration, utc

Fact = tuple[str, Any] | tuple[str, Any, str]


def facts_of(page: RunPage) -> list[Fact]:
    """What stands beside the run's number, as in every header: (label, value) or (label, value, tooltip)."""
    run = page.run
    facts: list[Fact] = [("project", run.project or "–"), ("fill", run.fill or "–")]
    if run.still_going:
        facts.append(("lumisections", f"{run.last_lumisection:,} so far", "The run has started and not ended."))
    else:
        facts.append(("lumisections", f"{run.last_lumisection:,}"))
    facts.append(("recorded", lumi(page.profile.total("recorded_inv_nb")), _known(page)))
    good = page.good
    if good is not None:
        value = f"{lumi(good.good_inv_nb)} · {percent(good.share)}"
        if good.unsigned:
            why = f"Where {good.required} is absent. It counts once signed: {', '.join(good.unsigned)}."
            facts.append(("good, once signed", value, why))
        else:
            facts.append(("good for physics", value, f"Where {good.required} is absent; every system is signed."))
    if page.systems:
        facts.append(("signed", f"{page.signed_count} of {len(page.systems)} systems"))
    return facts


def _known(page: RunPage) -> str:
    known, last = page.recorded_known, page.run.last_lumisection
    if not known:
        return "The luminosity of no lumisection is known."
    if known < last:
        return f"The sum of the {known:,} lumisections whose luminosity is known, of {last:,}."
    return "The luminosity of every lumisection is known."


def run_details(page: RunPage) -> list[tuple[str, Any]]:
    """The rest of what is known, empty facts left out."""
    run, profile = page.run, page.profile
    delivered, recorded = profile.total("delivered_inv_nb"), profile.total("recorded_inv_nb")
    efficiency = recorded / delivered if delivered and recorded is not None else None
    energy = f"{run.energy_gev / 1000:g} TeV" if run.energy_gev else ""
    rows = [
        ("period", run.period),
        ("beam", " · ".join(word for word in (run.beam, energy) if word)),
        ("started", utc(run.started_at, "minute") if run.started_at else ""),
        ("ended", utc(run.ended_at, "minute") if run.ended_at else "still going on" if run.still_going else ""),
        ("duration", duration(profile.total("duration_s")) if profile.length else ""),
        ("delivered", lumi(delivered) if delivered is not None else ""),
        ("recorded of it", percent(efficiency) if efficiency is not None else ""),
        ("pile-up", _pileup(page)),
    ]
    return [(label, value) for label, value in rows if value]


def _pileup(page: RunPage) -> str:
    known = page.profile.known("pileup")
    if not known:
        return ""
    total, count = page.profile.sum("pileup", known)
    peak = max(value for value in page.profile["pileup"].tolist() if value == value)  # noqa: PLR0124  NaN differs
    return f"mean {total / count:.1f}, peak {peak:.1f}"
