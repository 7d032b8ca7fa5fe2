"""When the audit proves that a promise is broken, automation stops by itself, and says why."""

from __future__ import annotations

from certifier.accounts.models import System, User
from certifier.audit.models import AuditEvent
from certifier.precert import services as precert
from certifier.precert.models import Mode, ModelVersion, SystemMode
from certifier.precert.selectors import models_of_system
from certifier.watch.models import Check
from certifier.watch.realised import stream_of
from certifier.watch.services import check

from .world import FIRST_RUN, answer, audited, automatic, promising

BEFORE, MOST_AFTER = 10, 12


def drifting(version: ModelVersion, expert: User, *, look: System) -> int:
    """Ten runs in order; then a fault that the machine does not see, in every run. How many runs until it stops."""
    for number in range(FIRST_RUN, FIRST_RUN + BEFORE):
        answer(audited(version, number), expert)
        assert not check(look).stops
    for after in range(1, MOST_AFTER + 1):
        answer(audited(version, FIRST_RUN + BEFORE + after), expert, bad="5-20")
        if check(look).stops:
            return after
    raise AssertionError(f"not stopped after {MOST_AFTER} runs")


def test_a_fault_that_no_model_sees_is_found_and_stops_it(lar: System, ada: User, chi: User) -> None:
    version = automatic(lar, chi)
    assert drifting(version, ada, look=lar) <= MOST_AFTER
    assert models_of_system(lar).mode == Mode.STOPPED
    mode = SystemMode.objects.filter(system=lar).latest("number")
    assert mode.by is None
    assert mode.bound["pollution"]["lower"] > mode.bound["pollution"]["limit"] == 0.05
    assert mode.reason.startswith("Stop.")
    assert AuditEvent.objects.filter(code="precert.set_mode", actor=None).exists()


def test_in_assist_nothing_is_stopped_but_it_is_said(lar: System, ada: User, chi: User) -> None:
    version = automatic(lar, chi)
    precert.set_mode(actor=chi, system=lar, mode=Mode.ASSIST, reason="We look at everything this week.")
    for number in range(FIRST_RUN, FIRST_RUN + 10):
        answer(audited(version, number), ada, bad="1-20")
    row = check(lar)
    assert row.pollution["stop"]
    assert not row.stops
    assert models_of_system(lar).mode == Mode.ASSIST


def test_a_promise_that_was_not_made_cannot_be_broken(lar: System, ada: User, chi: User) -> None:
    version = automatic(lar, chi, loss=0.05)
    for number in range(FIRST_RUN, FIRST_RUN + 10):
        answer(audited(version, number), ada, bad="1-20")
    row = check(lar)
    assert row.pollution["estimate"] == 1.0
    assert not row.stops
    assert "not promised" in row.pollution["words"]


def test_switched_on_again_it_begins_anew(lar: System, ada: User, chi: User) -> None:
    version = automatic(lar, chi)
    drifting(version, ada, look=lar)
    precert.set_mode(actor=chi, system=lar, mode=Mode.AUTO, reason="The cable is mended.")
    row = check(lar)
    assert not row.stops
    assert row.pollution["runs"] == 0
    assert row.since is not None
    answer(audited(version, FIRST_RUN + 100), ada)
    assert check(lar).pollution["runs"] == 1


def test_what_was_taken_while_it_was_stopped_does_not_count_once_it_goes_on(lar: System, ada: User, chi: User) -> None:
    """The cable was mended on the last day: what came before tells a coordinator whether it is, and no more."""
    version = automatic(lar, chi)
    drifting(version, ada, look=lar)
    answer(audited(version, FIRST_RUN + 100), ada, bad="5-20")
    row = check(lar)
    assert (row.pollution["runs"], row.pollution["estimate"]) == (1, 0.8)
    precert.set_mode(actor=chi, system=lar, mode=Mode.AUTO, reason="The cable is mended.")
    answer(audited(version, FIRST_RUN + 101), ada)
    row = check(lar)
    assert (row.pollution["runs"], row.pollution["estimate"]) == (1, 0.0)


def test_what_a_later_model_says_of_the_runs_before_does_not_count_again(lar: System, ada: User, chi: User) -> None:
    """These runs were paid for: people look at them by hand, whatever the next champion says of them."""
    version = automatic(lar, chi)
    number = FIRST_RUN + BEFORE + drifting(version, ada, look=lar)
    precert.set_mode(actor=chi, system=lar, mode=Mode.AUTO, reason="The cable is mended.")
    later = promising(lar, 2)
    answer(audited(later, number), ada, bad="5-20")
    answer(audited(later, FIRST_RUN + 100), ada)
    row = check(lar)
    assert (row.pollution["runs"], row.pollution["estimate"]) == (1, 0.0)
    # Until it stopped, every run that was asked about counts.
    assert set(stream_of(lar).run.tolist()) > {number, FIRST_RUN + 100}


def test_it_stops_once(lar: System, ada: User, chi: User) -> None:
    version = automatic(lar, chi)
    drifting(version, ada, look=lar)
    assert not check(lar).stops
    assert Check.objects.filter(stops=True).count() == 1
