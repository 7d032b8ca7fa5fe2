"""Coordinators are told when a watched trend leaves its band, and when it cannot be watched any more."""

from __future__ import annotations

import pytest

from certifier.accounts.models import System, User
from certifier.defects import services as defects
from certifier.notices.models import Kind, Notice
from certifier.notices.services import find
from certifier.trends import services as trends
from certifier.trends.drawing import Asked
from certifier.trends.services import Kept
from tests.trends.conftest import COUNT, FIRST, add_run

pytestmark = pytest.mark.django_db


def test_coordinators_are_told_of_both(lar: System, ben: User, chi: User) -> None:
    for number in range(FIRST, FIRST + COUNT):
        add_run(number)
    defects.define_defect(actor=None, name="LAR_NOISEBURST", system=lar)
    for name, draw in (("efficiency", "recorded / delivered : run"), ("bursts", "defect.LAR_NOISEBURST : run")):
        trends.save(actor=ben, asked=Asked(draw), kept=Kept(name, is_watched=True))
    defects.change_defect(actor=None, defect="LAR_NOISEBURST", name="LAR_BURST")
    add_run(FIRST + COUNT, 0.6)
    trends.look()
    find()
    told = Notice.objects.filter(person=chi, kind=Kind.TREND)
    titles = told.values_list("event__title", flat=True)
    assert set(titles) == {
        f"The trend efficiency left its band at run {FIRST + COUNT}",
        "The trend bursts is watched no longer",
    }
    assert not Notice.objects.filter(person=ben, kind=Kind.TREND).exists()
