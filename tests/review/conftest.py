"""Tests of the queue choose themselves what is sampled: by default nothing is."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(autouse=True)
def nothing_is_sampled(settings: Any) -> None:
    settings.REVIEW_AUDIT_SHARE = 0.0
    settings.REVIEW_BLIND_SHARE = 0.0
    settings.REVIEW_WHOLE_SHARE = 0.0
