"""What every test of this room needs: the quick recipe."""

from __future__ import annotations

import pytest

from tests.training import world


@pytest.fixture(autouse=True)
def quick_recipe(settings: pytest.FixtureRequest) -> None:
    settings.TRAINING_RECIPE = world.RECIPE  # type: ignore[attr-defined]
    settings.REVIEW_WHOLE_SHARE = 0.0  # type: ignore[attr-defined]
