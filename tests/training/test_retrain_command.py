"""`manage.py retrain`: what the weekly training does, in the foreground."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from certifier.accounts.models import System
from certifier.training.models import Outcome, Training
from tests.training import world

pytestmark = pytest.mark.django_db


def retrain(*arguments: str) -> str:
    out = StringIO()
    call_command("retrain", *arguments, stdout=out)
    return out.getvalue()


def test_it_trains_every_system_with_histograms_and_says_what_came_of_it(lar: System, pixel: System) -> None:
    world.season(lar)
    assert retrain().startswith("LAR: promoted, LAR model 1, in ")
    assert retrain("--system", "lar").startswith("LAR: nothing new to learn, in ")
    assert [row.trigger for row in Training.objects.all()] == ["command", "command"]
    assert "PIXEL: too few labels" in retrain("--system", "PIXEL")


def test_without_histograms_there_is_nothing_to_do(lar: System) -> None:
    assert "No system has histograms yet" in retrain()


def test_a_failure_is_told_recorded_and_ends_in_failure(lar: System, settings: Any) -> None:
    world.season(lar, 3)
    settings.TRAINING_RECIPE = {"LAR": {"clasifier": "none"}}
    errors = StringIO()
    with pytest.raises(CommandError, match=r"Not trained: LAR\. What was the champion still is"):
        call_command("retrain", stdout=StringIO(), stderr=errors)
    assert "unknown settings of a system model: clasifier" in errors.getvalue()
    assert Training.objects.get().outcome == Outcome.FAILED


def test_an_unknown_system_is_told() -> None:
    with pytest.raises(CommandError, match="There is no system “LAX”"):
        retrain("--system", "LAX")
