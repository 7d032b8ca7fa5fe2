from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(autouse=True)
def everything_is_audited(settings: Any) -> None:
    settings.REVIEW_AUDIT_SHARE = 1.0
    settings.REVIEW_BLIND_SHARE = 0.0
    settings.REVIEW_WHOLE_SHARE = 0.0
