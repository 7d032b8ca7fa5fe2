"""What people said becomes labels: decisions first, then signatures; what nobody looked at has none."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from certifier.accounts.models import System, User
from certifier.defects import services as defects
from certifier.lumi import LumiSet
from certifier.precert import services as precert
from certifier.precert.models import ModelVersion
from certifier.review import services as review
from certifier.review.deciding import decide
from certifier.review.intake import find_items
from certifier.review.models import Item
from certifier.runs.models import Run
from certifier.training.labels import RunLabels, Source, counts, counts_by_week, run_labels
from tests.review import queue_world as queue
from tests.review.queue_world import CORRUPT, LAST, NOISE, RUN, F
from tests.training import world

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def defined(lar: System) -> None:
    queue.define(lar)


def labels(system: System) -> RunLabels:
    (found,) = run_labels(system)
    return found


def words(system: System) -> list[tuple[str, str, str, float]]:
    """(lumisections, source, defect or good, stands for)."""
    found = labels(system).words
    return sorted(
        (str(word.lumisections), word.source.value, word.defect if word.is_bad else "good", word.stands_for)
        for word in found
    )


def run() -> Run:
    return Run.objects.get(number=RUN)


def test_of_a_signed_run_what_has_a_defect_is_bad_and_the_rest_good(lar: System) -> None:
    queue.take()
    world.record(run(), NOISE, "5-9")
    world.record(run(), CORRUPT, "8-12")
    assert run_labels(lar) == [], "nobody has signed it"
    world.sign(run(), lar)
    assert words(lar) == [
        ("1-4 13-100", "sign-off", "good", 1.0),
        ("5-7", "sign-off", NOISE, 1.0),
        ("8-12", "sign-off", CORRUPT, 1.0),
    ]


def test_a_signature_that_was_taken_back_is_no_label(lar: System) -> None:
    queue.take()
    world.sign(run(), lar)
    review.reopen(actor=None, run=run(), system=lar, stage="express", comment="look again")
    assert run_labels(lar) == []


def test_a_defect_of_another_system_or_taken_back_says_nothing(lar: System, pixel: System) -> None:
    queue.take()
    defects.define_defects(actor=None, definitions=[defects.NewDefect(name="PIXEL_OFF", system=pixel)])
    world.record(run(), "PIXEL_OFF", "1-50")
    world.record(run(), NOISE, "5-9")
    world.record(run(), NOISE, "5-9", present=False)
    world.sign(run(), lar)
    assert words(lar) == [("1-100", "sign-off", "good", 1.0)]
    assert run_labels(pixel) == []


def test_what_is_tolerable_is_neither_good_nor_bad(lar: System) -> None:
    queue.take()
    defects.define_defects(actor=None, definitions=[defects.NewDefect(name="LAR_COLD_CELLS", system=lar)])
    world.record(run(), "LAR_COLD_CELLS", "1-50")
    world.record(run(), NOISE, "5-9")
    world.sign(run(), lar)
    assert words(lar) == [("5-9", "sign-off", NOISE, 1.0), ("51-100", "sign-off", "good", 1.0)]


def test_where_no_defect_is_intolerable_all_are_bad(pixel: System) -> None:
    defects.define_defects(actor=None, definitions=[defects.NewDefect(name="PIXEL_OFF", system=pixel)])
    queue.take()
    world.record(run(), "PIXEL_OFF", "1-50")
    world.sign(run(), pixel)
    assert words(pixel) == [("1-50", "sign-off", "PIXEL_OFF", 1.0), ("51-100", "sign-off", "good", 1.0)]


def test_a_decision_goes_before_the_signature(lar: System, ada: User) -> None:
    (item,) = queue.queue(lar, F("5-9", "bad", NOISE))
    world.record(run(), NOISE, "5-20")
    world.sign(run(), lar)
    decide(actor=ada, item=item, verdict="override")
    assert words(lar)[1:] == [
        ("10-20", "sign-off", NOISE, 1.0),
        ("5-9", "decision", "good", 1.0),
    ]
    assert labels(lar).of(bad=True) == LumiSet.parse("10-20")


def test_without_a_signature_only_what_was_decided_is_known(lar: System, ada: User) -> None:
    first, _ = queue.queue(lar, F("5-9", "bad", NOISE), F("30-34", "unsure", ""))
    decide(actor=ada, item=first, verdict="confirm", lumisections="5-8")
    assert words(lar) == [("5-8", "decision", NOISE, 1.0), ("9", "decision", "good", 1.0)]
    assert not labels(lar).is_settled, "one finding waits"


def test_a_run_is_settled_when_nothing_of_it_waits(lar: System, ada: User) -> None:
    queue.queue(lar, F("5-9", "bad", NOISE))
    for item in Item.objects.filter(state="open"):
        decide(actor=ada, item=item, verdict="override")
    assert labels(lar).is_settled


def test_a_run_was_looked_at_as_a_whole_when_all_of_it_was_decided(
    lar: System, ada: User, settings: pytest.FixtureRequest
) -> None:
    settings.REVIEW_WHOLE_SHARE = 1.0  # type: ignore[attr-defined]
    everything = LumiSet.whole(LAST)
    (finding,) = queue.queue(lar, F("5-9", "unsure", NOISE))
    decide(actor=ada, item=finding, verdict="override")
    assert not labels(lar).is_whole(everything)
    for item in Item.objects.filter(state="open"):
        decide(actor=ada, item=item, verdict="override")
    assert labels(lar).is_whole(everything)
    assert {word.stands_for for word in labels(lar).standing_for_themselves().words} == {1.0}


def test_a_signed_run_is_whole_but_not_where_a_machine_was_believed(lar: System, chi: User) -> None:
    from tests.precert import world as models

    version = models.champion(lar)
    queue.score(version, queue.take(), F("5-9", "bad", NOISE))
    world.sign(run(), lar)
    assert labels(lar).is_whole(LumiSet.whole(LAST))
    precert.set_mode(actor=chi, system=lar, mode="auto", reason="The audit found nothing.")
    review.sign_off(actor=None, run=run(), system=lar, stage="bulk")
    assert not labels(lar).is_whole(LumiSet.whole(LAST))


@pytest.fixture
def audited(lar: System, ada: User, settings: pytest.FixtureRequest) -> Item:
    """An audit sample that Ada found good, in a run where the machine called everything else good."""
    settings.REVIEW_AUDIT_SHARE = 0.05  # type: ignore[attr-defined]
    queue.champion(lar)
    for number in range(RUN, RUN + 60):
        dataset = queue.take(number)
        queue.score(ModelVersion.objects.get(), dataset)
        find_items()
        item = Item.objects.filter(kind="audit").first()
        if item is not None:
            decide(actor=ada, item=item, verdict="override")
            item.refresh_from_db()
            return item
    raise AssertionError("60 runs without a sample of 5%")


def test_an_audited_lumisection_stands_for_those_that_were_not(lar: System, audited: Item) -> None:
    assert words(lar) == [(str(audited.lumisections), "audit", "good", 20.0)]


def test_where_all_of_a_run_was_looked_at_it_stands_for_itself(lar: System, audited: Item) -> None:
    world.sign(audited.run, lar)
    assert {(source, stands_for) for _, source, _, stands_for in words(lar)} == {("audit", 1.0), ("sign-off", 1.0)}
    assert labels(lar).labelled == audited.run.domain


def test_a_signature_under_automation_is_no_label_for_what_a_machine_called_good(lar: System, chi: User) -> None:
    from tests.precert import world as models

    version = models.champion(lar)
    precert.set_mode(actor=chi, system=lar, mode="auto", reason="The audit found nothing.")
    queue.score(version, queue.take(), F("5-9", "bad", NOISE), F("30-34", "unsure", ""), unscored="90-100")
    world.record(run(), NOISE, "5-9")
    world.record(run(), CORRUPT, "60-62")
    world.sign(run(), lar)
    assert words(lar) == [
        ("30-34 90-100", "sign-off", "good", 1.0),
        ("5-9", "sign-off", NOISE, 1.0),
        # The machine called it good, and somebody recorded a defect: that is a label.
        ("60-62", "sign-off", CORRUPT, 1.0),
    ]


def test_a_run_that_was_signed_before_automation_keeps_its_labels(lar: System, chi: User) -> None:
    from tests.precert import world as models

    version = models.champion(lar)
    queue.score(version, queue.take())
    review.sign_off(actor=None, run=run(), system=lar, stage="express", at=timezone.now() - timedelta(hours=1))
    precert.set_mode(actor=chi, system=lar, mode="auto", reason="The audit found nothing.")
    assert words(lar) == [("1-100", "sign-off", "good", 1.0)]


def test_labels_are_counted_by_source_and_week(lar: System, ada: User) -> None:
    (item,) = queue.queue(lar, F("5-9", "bad", NOISE))
    decide(actor=ada, item=item, verdict="confirm")
    long_ago = timezone.now() - timedelta(days=30)
    review.sign_off(actor=None, run=run(), system=lar, stage="express", at=long_ago)
    found = run_labels(lar)
    assert counts(found) == {"decision": {"good": 0, "bad": 5}, "sign-off": {"good": LAST - 5, "bad": 0}}
    (_, this_week), (monday, then) = counts_by_week(found)
    assert this_week[Source.DECISION] == (0, 5)
    assert then[Source.SIGN_OFF] == (LAST - 5, 0)
    assert (monday.weekday(), monday <= long_ago.date()) == (0, True)
