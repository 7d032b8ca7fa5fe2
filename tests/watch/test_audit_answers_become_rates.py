"""Realised pollution and loss are luminosity-weighted shares of what the blind audit found, nothing else."""

from __future__ import annotations

import pytest

from certifier.accounts.models import System, User
from certifier.precert.selectors import models_of_system
from certifier.runs import services as runs
from certifier.watch.realised import Side, sides_of, stream_of
from tests.review.queue_world import F, take

from .world import FIRST_RUN, LAST, answer, audited, automatic


def sides(system: System) -> tuple[Side, Side]:
    pollution, loss = sides_of(stream_of(system), models_of_system(system).guarantee)
    return pollution, loss


def test_nothing_is_known_before_the_first_answer(lar: System, chi: User) -> None:
    version = automatic(lar, chi)
    audited(version, FIRST_RUN)
    pollution, loss = sides(lar)
    assert (pollution.estimate, pollution.audited, pollution.runs) == (None, 0, 0)
    assert "nothing is known" in pollution.words
    assert loss.estimate is None


def test_pollution_is_the_weighted_share_of_bad_among_what_was_called_good(lar: System, ada: User, chi: User) -> None:
    version = automatic(lar, chi)
    answer(audited(version, FIRST_RUN), ada)
    answer(audited(version, FIRST_RUN + 1), ada, bad="1-4")
    pollution, _ = sides(lar)
    assert (pollution.audited, pollution.runs) == (2 * LAST, 2)
    assert pollution.estimate == pytest.approx(4 / (2 * LAST))


def test_bright_lumisections_weigh_more(lar: System, ada: User, chi: User) -> None:
    version = automatic(lar, chi)
    for number, bright in ((FIRST_RUN, 100.0), (FIRST_RUN + 1, 100.0)):
        take(number, LAST)
        columns = {"recorded_inv_nb": [3 * bright] * 4 + [bright] * (LAST - 4)}
        runs.put_lumisections(actor=None, run=number, columns=columns)
    stored = audited(version, FIRST_RUN)
    runs.put_lumisections(actor=None, run=FIRST_RUN, columns={"recorded_inv_nb": [300.0] * 4 + [100.0] * (LAST - 4)})
    answer(stored, ada, bad="1-4")
    pollution, _ = sides(lar)
    assert pollution.estimate == pytest.approx(4 * 300 / (4 * 300 + (LAST - 4) * 100))


def test_loss_is_the_share_called_bad_among_what_is_good(lar: System, ada: User, chi: User) -> None:
    version = automatic(lar, chi)
    answer(audited(version, FIRST_RUN, F("1-5", "bad")), ada)
    _, loss = sides(lar)
    assert loss.estimate == pytest.approx(5 / LAST)


def test_the_grey_zone_counts_as_good_that_was_not_lost(lar: System, ada: User, chi: User) -> None:
    version = automatic(lar, chi)
    answer(audited(version, FIRST_RUN, F("1-5", "bad"), F("6-20", "unsure")), ada)
    pollution, loss = sides(lar)
    assert pollution.audited == 0
    assert loss.estimate == pytest.approx(5 / LAST)


def test_a_run_counts_once_all_of_its_samples_are_answered(lar: System, ada: User, chi: User) -> None:
    version = automatic(lar, chi)
    answer(audited(version, FIRST_RUN), ada)
    first, *rest = audited(version, FIRST_RUN + 1)
    answer([first], ada, bad="1-20")
    assert rest, "a run is cut into several samples"
    stream = stream_of(lar)
    assert (set(stream.run.tolist()), stream.pending) == ({FIRST_RUN}, len(rest))
    answer(rest, ada)
    assert set(stream_of(lar).run.tolist()) == {FIRST_RUN, FIRST_RUN + 1}


def test_findings_that_experts_look_at_anyway_are_no_audit(lar: System, ada: User, chi: User, settings: object) -> None:
    version = automatic(lar, chi)
    settings.REVIEW_AUDIT_SHARE = 0.0  # type: ignore[attr-defined]
    answer(audited(version, FIRST_RUN, F("1-5", "bad")), ada)
    pollution, loss = sides(lar)
    assert (pollution.audited, loss.audited) == (0, 0)


def test_the_bound_proves_more_with_every_run(lar: System, ada: User, chi: User) -> None:
    version = automatic(lar, chi)
    for number in range(FIRST_RUN, FIRST_RUN + 30):
        answer(audited(version, number), ada)
    pollution, _ = sides(lar)
    uppers = [upper for _, _, _, upper in pollution.series]
    assert uppers == sorted(uppers, reverse=True)
    assert uppers[-1] < 0.6 < uppers[0]
    assert pollution.lower == 0.0
