"""A small season: fifty runs with luminosity, a flag, and a defect in one of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from certifier.accounts.models import System
from certifier.defects import services as defects
from certifier.defects.entry_input import NewEntry
from certifier.defects.models import Source
from certifier.goodruns.summaries import refresh_summaries
from certifier.runs import services as runs

FIRST, COUNT = 350_001, 50
BEGAN = datetime(2018, 5, 1, tzinfo=UTC)


def add_run(number: int, efficiency: float = 0.9, *, ended: bool = True) -> None:
    place = number - FIRST
    started = BEGAN + timedelta(hours=8 * place)
    facts: dict[str, Any] = {
        "lumisections": 10,
        "fill": 7000 + place // 5,
        "started_at": started.isoformat(),
        "attributes": {"b_field": 3.8, "hlt_key": "physics"},
    }
    if ended:
        facts["ended_at"] = (started + timedelta(hours=6)).isoformat()
    runs.put_run(actor=None, run=number, facts=facts)
    delivered = 100.0 + place
    columns = {
        "duration_s": [60.0] * 10,
        "delivered_inv_nb": [delivered] * 10,
        # A little different from run to run, the same every time.
        "recorded_inv_nb": [delivered * (efficiency + 0.002 * ((7 * place) % 5))] * 10,
        "pileup": [30.0 + place % 3] * 9 + [None],
        "started_at": [(started + timedelta(seconds=60 * second)).isoformat() for second in range(10)],
    }
    runs.put_lumisections(actor=None, run=number, columns=columns, flags={"stable_beams": "3-10"})


@pytest.fixture
def season(lar: System) -> System:
    for number in range(FIRST, FIRST + COUNT):
        add_run(number)
    defects.define_defect(actor=None, name="LAR_NOISEBURST", system=lar)
    defects.define_defect(actor=None, name="LAR_ANY", system=lar, expression="LAR_NOISEBURST")
    burst = NewEntry(run=FIRST + 4, defect="LAR_NOISEBURST", lumisections="2-4", comment="burst")
    defects.record_entries(actor=None, entries=[burst], source=Source.PAGE)
    refresh_summaries()
    return lar
