"""Where conditions held: LumiSets by run and name."""

from __future__ import annotations

import pytest

from certifier.accounts.models import User
from certifier.accounts.permissions import NotAllowed
from certifier.audit.models import AuditEvent
from certifier.lumi import LumiSet
from certifier.runs import services
from certifier.runs.errors import LumisectionsRefused, RunNotFound
from certifier.runs.models import Change, ConditionFlag, Run
from certifier.runs.selectors import flags_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def run() -> Run:
    return services.put_run(actor=None, run=5, facts={"lumisections": 100}).run


def test_it_stores_text_and_values(run: Run, chi: User) -> None:
    services.put_flags(
        actor=chi, run=5, flags={"stable_beams": "12-90", "toroid_on": LumiSet.whole(100), "ready": "all"}
    )
    assert flags_of(run) == {
        "ready": LumiSet.whole(100),
        "stable_beams": LumiSet.parse("12-90"),
        "toroid_on": LumiSet.whole(100),
    }
    assert ConditionFlag.objects.values_list("lumisections", flat=True).get(name="stable_beams") == LumiSet.parse(
        "12-90"
    )


def test_it_tells_nowhere_from_not_known(run: Run) -> None:
    services.put_flags(actor=None, run=5, flags={"a": "", "b": "1"})
    services.put_flags(actor=None, run=5, flags={"b": None})
    assert flags_of(run) == {"a": LumiSet()}


def test_it_leaves_equal_flags_without_a_trace(run: Run) -> None:
    services.put_flags(actor=None, run=5, flags={"a": "1-5"})
    counts = Change.objects.count(), AuditEvent.objects.count()
    assert not services.put_flags(actor=None, run=5, flags={"a": "1-3 4-5"}).changed
    assert not services.put_flags(actor=None, run=5, flags={}).changed
    assert (Change.objects.count(), AuditEvent.objects.count()) == counts
    assert Run.objects.get().version == 2


def test_it_refuses_who_is_no_coordinator(run: Run, ada: User, ben: User, dee: User) -> None:
    for person in (ada, ben, dee):
        with pytest.raises(NotAllowed, match="coordinator"):
            services.put_flags(actor=person, run=5, flags={"a": "1"})


def test_it_refuses_lumisections_that_the_run_does_not_have(run: Run) -> None:
    with pytest.raises(LumisectionsRefused, match="beyond the end"):
        services.put_flags(actor=None, run=5, flags={"a": LumiSet.whole(101)})
    with pytest.raises(RunNotFound):
        services.put_flags(actor=None, run=6, flags={"a": "1"})
