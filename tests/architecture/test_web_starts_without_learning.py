"""A web process answers without torch and scikit-learn: they cost seconds and hundreds of megabytes each."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.needs import REPOSITORY
from tests.ops.worker_process import environment

HEAVY = ("torch", "sklearn", "scipy", "skops", "mlcore.pipeline", "mlcore.artifacts")
ADDRESSES = "import django; django.setup(); from django.urls import get_resolver; get_resolver().url_patterns"
TASKS = "import django; django.setup(); from certifier.celery import app; app.loader.import_default_modules()"


@pytest.mark.parametrize("start", [ADDRESSES, TASKS], ids=["web", "worker before its first job"])
def test_nothing_that_learns_is_imported(start: str) -> None:
    look = f"import sys; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", f"{start}; {look}"],
        cwd=REPOSITORY,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == []
