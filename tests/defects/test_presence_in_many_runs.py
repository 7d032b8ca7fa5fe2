"""Where defects are in many runs, primary and virtual, also where nobody has recorded anything."""

from __future__ import annotations

import pytest

from certifier.accounts.models import System
from certifier.defects import services
from certifier.defects.entry_input import NewEntry
from certifier.defects.models import Source
from certifier.defects.presence import present_in
from tests import cast

pytestmark = pytest.mark.django_db


def test_a_negation_holds_in_a_run_without_entries(lar: System) -> None:
    runs = [cast.make_run(1, 10), cast.make_run(2, 10)]
    services.define_defect(actor=None, name="LAR_READY", system=lar)
    services.define_defect(actor=None, name="LAR_NOT_READY", system=lar, expression="not LAR_READY")
    entry = NewEntry(run=1, defect="LAR_READY", lumisections="3-10")
    services.record_entries(actor=None, entries=[entry], source=Source.PAGE)
    found = present_in(runs, ["LAR_READY", "LAR_NOT_READY"])
    said = {number: {name: str(where) for name, where in of_run.items()} for number, of_run in found.items()}
    assert said == {
        1: {"LAR_READY": "3-10", "LAR_NOT_READY": "1-2"},
        2: {"LAR_READY": "", "LAR_NOT_READY": "1-10"},
    }
