"""A small experiment to look at: two systems, a few defects over them, three runs in one fill."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

from django.utils import timezone

from certifier.accounts.models import System, User
from certifier.defects import services as defects
from certifier.defects.services import NewDefect, NewEntry
from certifier.goodruns.models import RunSummary
from certifier.lumi import LumiSet
from certifier.review import services as review
from certifier.runs import services as runs
from certifier.runs.models import Run
from tests import cast

MAIN = "PHYS_ALL_GOOD"
RUN, BEFORE, AFTER = 350479, 350440, 350531


def define() -> None:
    """LAR and PIXEL with primaries that somebody requires and others that nobody does; a virtual one over each."""
    for code in ("PIXEL", "LAR"):
        if not System.objects.filter(code=code).exists():
            cast.make_system(code)
    definitions = [
        NewDefect(name="LAR_DATACORRUPT", system="LAR", intolerable=True, description="Corrupted data."),
        NewDefect(name="LAR_NOISEBURST", system="LAR", description="Noise, removed by the veto."),
        NewDefect(name="PIXEL_STANDBY", system="PIXEL", intolerable=True),
        NewDefect(name="EMBA", system="LAR", expression="LAR_DATACORRUPT"),
        NewDefect(name=MAIN, system="PIXEL", expression="EMBA or PIXEL_STANDBY"),
    ]
    defects.define_defects(actor=None, definitions=definitions)


def take(number: int = RUN, lumisections: int = 100, *, recorded: float | None = 10.0, **facts: Any) -> Run:
    """A run of the period L that has ended, with `recorded` inverse nanobarn in each lumisection."""
    started = datetime(2018, 5, 14, 20, tzinfo=UTC) + timedelta(minutes=number - RUN)
    known = {
        "lumisections": lumisections,
        "project": "data18_13TeV",
        "period": "L",
        "fill": 6688,
        "beam": "pp",
        "started_at": started.isoformat(),
        "ended_at": (started + timedelta(minutes=lumisections)).isoformat(),
    }
    runs.put_run(actor=None, run=number, facts=known | facts)
    if recorded is not None and lumisections:
        columns = {
            "recorded_inv_nb": [recorded] * lumisections,
            "delivered_inv_nb": [recorded * 1.25] * lumisections,
            "pileup": [40.0] * lumisections,
        }
        runs.put_lumisections(actor=None, run=number, columns=columns, flags={"stable_beams": f"5-{lumisections}"})
    return Run.objects.get(number=number)


def record(defect: str, lumisections: str, *, run: int = RUN, actor: User | None = None, **payload: Any) -> None:
    entry = NewEntry(run=run, defect=defect, lumisections=lumisections, **payload)
    defects.record_entries(actor=actor, entries=[entry], source="page")


def sign(*codes: str, run: int = RUN, stage: str = "express") -> None:
    row = Run.objects.get(number=run)
    for code in codes:
        review.sign_off(actor=None, run=row, system=System.objects.get(code=code), stage=stage)


def reopen(code: str, reason: str, *, run: int = RUN, stage: str = "express") -> None:
    row, system = Run.objects.get(number=run), System.objects.get(code=code)
    review.reopen(actor=None, run=row, system=system, stage=stage, comment=reason)


def summarise(run: Run, **facts: Any) -> RunSummary:
    """A summary as the background task would leave it: nothing signed, nothing good."""
    known: dict[str, Any] = {
        "good": LumiSet(),
        "required": MAIN,
        "recorded_inv_nb": 10.0 * run.last_lumisection,
        "good_inv_nb": 0.0,
        "open_systems": 2,
        "refreshed_at": timezone.now(),
    }
    summary, _ = RunSummary.objects.update_or_create(run=run, defaults=known | facts)
    return summary


class Words(HTMLParser):
    """What a reader sees of a page, without scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.hidden += tag in {"script", "style", "title"}

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in {"script", "style", "title"}

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.found.append(data)


def words(html: str) -> str:
    """The text of a page, with single blanks."""
    reader = Words()
    reader.feed(html)
    return " ".join(" ".join(reader.found).split())


def part(html: str, identifier: str) -> str:
    """From the element of that id to the end of its section."""
    start = html.index(f'id="{identifier}"')
    return html[start : html.index("</section>", start)]
