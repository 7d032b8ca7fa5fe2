"""Nothing gets into a list on a machine's word unless a coordinator allowed it under a guarantee, and it is told."""

from __future__ import annotations

from typing import Any

import pytest

from certifier.accounts.models import System, User
from certifier.goodruns import services
from certifier.goodruns.accounting import loss_of
from certifier.goodruns.contents import content_of
from certifier.goodruns.models import GoodRunList, RunSummary
from certifier.goodruns.summaries import refresh_summaries
from certifier.precert import services as precert
from certifier.precert.models import Mode
from certifier.review.services import reopen
from certifier.runs import services as runs
from certifier.runs.models import Run
from tests.goodruns import world
from tests.goodruns.world import REQUIRED
from tests.review.queue_world import F, score, take
from tests.watch.world import promising

pytestmark = pytest.mark.django_db
RUN, LAST = 350001, 20


@pytest.fixture(autouse=True)
def defined() -> None:
    world.make_defects()


@pytest.fixture
def lar() -> System:
    return System.objects.get(code="LAR")


def switch(lar: System, chi: User, mode: Mode) -> None:
    precert.set_mode(actor=chi, system=lar, mode=mode, reason="The bound is kept since week 8.")


def scored(lar: System, chi: User, *findings: F, mode: Mode | None = Mode.AUTO, **sides: float) -> Run:
    """A run that PIXEL has signed and LAR has not, scored by the champion of LAR."""
    version = promising(lar, 1, **sides)
    if mode is not None:
        switch(lar, chi, mode)
    score(version, take(RUN, LAST), *findings)
    world.sign(RUN, "PIXEL")
    return Run.objects.get(number=RUN)


def build(**options: Any) -> GoodRunList:
    return services.build_list(actor=None, name="a list", require=[REQUIRED], **options)


def text(list_: GoodRunList) -> dict[int, str]:
    return {run: str(lumisections) for run, lumisections in content_of(list_).items()}


def reasons(list_: GoodRunList) -> list[str]:
    return [each["reason"] for each in list_.provenance["left_out"]]


def test_what_the_machine_calls_good_counts_as_signed(lar: System, chi: User) -> None:
    scored(lar, chi, F("5-9", "bad"), F("15", "unsure"))
    assert text(build()) == {RUN: "1-4 10-14 16-20"}


def test_the_list_tells_whose_word_it_took_and_who_allowed_it(lar: System, chi: User) -> None:
    scored(lar, chi, F("5-9", "bad"))
    told = build().provenance
    assert told["machine"] == [{"run": RUN, "system": "LAR", "model": 1, "lumisections": "1-4 10-20"}]
    [promise] = told["promises"]
    assert (promise["system"], promise["model"], promise["by"]) == ("LAR", 1, "chi")
    assert promise["promise"].startswith("Promises pollution below 5%")
    assert promise["reason"] == "The bound is kept since week 8."


def test_a_recorded_defect_beats_the_machine(lar: System, chi: User) -> None:
    scored(lar, chi)
    world.record(RUN, "LAR_HVTRIP", "1-3")
    assert text(build()) == {RUN: "4-20"}


@pytest.mark.parametrize("mode", [None, Mode.STOPPED])
def test_without_auto_a_signature_is_missing(lar: System, chi: User, mode: Mode | None) -> None:
    scored(lar, chi, mode=mode)
    list_ = build()
    assert (text(list_), reasons(list_)) == ({}, ["not signed off: LAR"])
    assert list_.provenance["machine"] == []


def test_without_a_promise_on_what_it_calls_good_nothing_counts(lar: System, chi: User) -> None:
    scored(lar, chi, loss=0.05)
    assert text(build()) == {}


def test_what_came_after_the_scoring_is_waited_for(lar: System, chi: User) -> None:
    scored(lar, chi)
    runs.put_run(actor=None, run=RUN, facts={"lumisections": LAST + 5})
    assert text(build()) == {}


def test_a_reopened_signature_is_not_healed_by_a_machine(lar: System, chi: User) -> None:
    run = scored(lar, chi)
    world.sign(RUN, "LAR")
    reopen(actor=None, run=run, system=lar, stage="express", comment="Look at the noise again.")
    assert reasons(build()) == ["not signed off: LAR"]


def test_a_stage_that_is_asked_for_by_name_needs_a_person(lar: System, chi: User) -> None:
    scored(lar, chi)
    assert reasons(build(stage="express")) == ["not signed off: LAR"]


def test_a_signature_makes_the_machine_needless(lar: System, chi: User) -> None:
    scored(lar, chi, F("5-9", "bad"))
    world.sign(RUN, "LAR")
    list_ = build()
    assert text(list_) == {RUN: "1-20"}
    assert list_.provenance["machine"] == []


def test_nothing_left_is_said_in_words(lar: System, chi: User) -> None:
    scored(lar, chi, F("5-20", "bad"))
    world.record(RUN, "LAR_HVTRIP", "1-4")
    assert reasons(build()) == ["not signed off: LAR, whose machine calls nothing else good"]


def test_what_it_did_not_call_good_is_charged_as_not_signed(lar: System, chi: User) -> None:
    scored(lar, chi, F("5-9", "bad"))
    world.record(RUN, "LAR_HVTRIP", "9-10")
    table = loss_of(build())
    charges = {(each.system, each.defect): each.lost.lumisections for each in table.charges}
    assert charges == {("LAR", "LAR_HVTRIP"): 2, ("LAR", "not signed off"): 4}
    assert table.good.lumisections + table.lost.lumisections == LAST


def test_summaries_follow_the_mode(lar: System, chi: User) -> None:
    scored(lar, chi, F("5-9", "bad"))
    refresh_summaries()
    assert str(RunSummary.objects.get(run__number=RUN).good) == "1-4 10-20"
    switch(lar, chi, Mode.STOPPED)
    refresh_summaries()
    assert not RunSummary.objects.get(run__number=RUN).good


def test_the_page_of_the_list_shows_it(lar: System, chi: User, client: Any) -> None:
    scored(lar, chi, F("5-9", "bad"))
    client.force_login(chi)
    shown = client.get(f"/good-runs/{build().pk}/").content.decode()
    assert "On a machine's word" in shown.replace("&#x27;", "'")
    assert "auto by chi" in shown
