"""What tests of this room share: nothing is sampled, and nobody serves a queue, so jobs wait for the test."""

from __future__ import annotations

from typing import Any

import pytest

from certifier.accounts.models import User


@pytest.fixture(autouse=True)
def nothing_is_sampled(settings: Any) -> None:
    settings.REVIEW_AUDIT_SHARE = 0.0
    settings.REVIEW_BLIND_SHARE = 0.0
    settings.REVIEW_WHOLE_SHARE = 0.0


@pytest.fixture(autouse=True)
def messages_stay_in_their_queue(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of jobs are written; that workers take them from a queue is tested in tests/ops."""
    from certifier.ops import jobs

    monkeypatch.setattr(jobs.perform, "apply_async", lambda *args, **kwargs: None)


@pytest.fixture
def eve(lar: Any) -> User:
    """Another expert of LAR."""
    from tests import cast

    return cast.make_expert("eve", lar)


@pytest.fixture
def pat(pixel: Any) -> User:
    """Expert of PIXEL."""
    from tests import cast

    return cast.make_expert("pat", pixel)


@pytest.fixture
def private_network(settings: Any) -> None:
    """The receiver of a test is on this machine."""
    settings.NOTICES_PRIVATE_WEBHOOKS = True
