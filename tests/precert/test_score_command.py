"""`manage.py score`: what the workers do, in the foreground."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command

from certifier.accounts.models import System
from certifier.precert.models import Scoring
from tests.precert import world
from tests.precert.world import BEFORE, RUN

pytestmark = pytest.mark.django_db


def score(*arguments: str) -> tuple[str, str]:
    out, errors = StringIO(), StringIO()
    call_command("score", *arguments, stdout=out, stderr=errors)
    return out.getvalue(), errors.getvalue()


def test_it_scores_what_is_not_scored_and_says_what_came_of_it(lar: System) -> None:
    world.champion(lar)
    world.take(BEFORE, system=lar)
    world.take(RUN, system=lar, noise="5-9")
    out, _ = score("--run", str(RUN), "--system", "lar")
    scoring = Scoring.objects.get()
    assert out.startswith(
        f"LAR model 1 on run {RUN}, express_express: {len(scoring.good)} good, {len(scoring.bad)} bad"
    )
    out, _ = score()
    assert f"run {BEFORE}" in out
    assert score()[0] == "Everything is scored.\n"
    assert Scoring.objects.count() == 2


def test_one_that_fails_does_not_stop_the_others_and_ends_in_failure(lar: System, pixel: System) -> None:
    broken = world.champion(lar)
    world.take(system=lar)
    default_storage.delete(f"{broken.folder}/arrays.npz")
    errors = StringIO()
    with pytest.raises(CommandError, match="1 not scored; what they would have scored stays not scored"):
        call_command("score", stdout=StringIO(), stderr=errors)
    assert "arrays.npz cannot be read" in errors.getvalue()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--run", "17"], "There is no run 17"),
        (["--system", "LAX"], "There is no system “LAX”"),
        (["--system", "PIXEL"], "No model of PIXEL is to be asked"),
    ],
)
def test_what_is_not_there_is_said_so(lar: System, pixel: System, arguments: list[str], told: str) -> None:
    world.champion(lar)
    with pytest.raises(CommandError, match=told):
        score(*arguments)


def test_without_a_model_it_says_what_to_do(lar: System) -> None:
    with pytest.raises(CommandError, match=r"No model is to be asked\. Register one"):
        score()
