"""An answer stays until the feed tells of something that it depends on, and no longer."""

from __future__ import annotations

import pytest
from django.db import transaction

from certifier.runs import services
from certifier.runs.models import Change, ChangeCounter
from certifier.runs.remembering import Remembered

pytestmark = pytest.mark.django_db


class Work:
    """Counts how often it is done."""

    def __init__(self) -> None:
        self.done = 0

    def __call__(self) -> int:
        self.done += 1
        return self.done


@pytest.fixture
def work() -> Work:
    return Work()


def take(run: int) -> None:
    services.put_run(actor=None, run=run, facts={"lumisections": 10})


def test_it_is_worked_out_once_as_long_as_nothing_changes(work: Work) -> None:
    take(1)
    kept: Remembered[int] = Remembered("runs.")
    assert [kept.get("question", work) for _ in range(3)] == [1, 1, 1]
    assert kept.get("another", work) == 2
    assert kept.get("question", work) == 1


def test_a_change_makes_it_old(work: Work) -> None:
    take(1)
    kept: Remembered[int] = Remembered("runs.")
    kept.get("question", work)
    take(2)
    assert kept.get("question", work) == 2


def test_a_change_of_something_else_does_not(work: Work) -> None:
    take(1)
    kept: Remembered[int] = Remembered("runs.run")
    kept.get("question", work)
    services.put_dataset(actor=None, run=1, name="express", stage="express")
    assert Change.objects.order_by("-sequence").values_list("kind", flat=True)[0] == "runs.dataset"
    assert kept.get("question", work) == 1


def test_before_anything_has_happened_nothing_is_kept(work: Work) -> None:
    kept: Remembered[int] = Remembered("runs.")
    assert [kept.get("question", work) for _ in range(2)] == [1, 2]


def test_a_number_that_is_given_again_is_another_change(work: Work) -> None:
    """After a roll-back, or in a restored database."""
    take(1)
    kept: Remembered[int] = Remembered("runs.")
    with transaction.atomic():
        take(2)
        assert kept.get("question", work) == 1
        transaction.set_rollback(True)
    take(3)
    assert Change.objects.count() == ChangeCounter.objects.get().value == 2
    assert kept.get("question", work) == 2


def test_what_was_asked_for_longest_ago_is_forgotten(work: Work) -> None:
    take(1)
    kept: Remembered[int] = Remembered("runs.", most=2)
    kept.get("first", work), kept.get("second", work), kept.get("first", work), kept.get("third", work)
    assert kept.get("first", work) == 1
    assert kept.get("second", work) == 4


def test_what_changes_meanwhile_is_not_kept_as_the_newest(work: Work) -> None:
    take(1)
    kept: Remembered[int] = Remembered("runs.")

    def slow() -> int:
        take(2)
        kept.get("another", work)
        return 99

    assert kept.get("question", slow) == 99
    assert kept.get("question", work) == 2


def test_what_fails_is_tried_again(work: Work) -> None:
    take(1)
    kept: Remembered[int] = Remembered("runs.")

    def fails() -> int:
        raise ValueError("not now")

    with pytest.raises(ValueError, match="not now"):
        kept.get("question", fails)
    assert kept.get("question", work) == 1
