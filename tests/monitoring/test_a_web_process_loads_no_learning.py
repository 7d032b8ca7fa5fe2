"""What learns is loaded by those who learn: a web process that serves and stores histograms has neither torch nor
scikit-learn in it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.needs import REPOSITORY

SCRIPT = """
import sys
import django; django.setup()
import certifier.urls, certifier.wsgi, certifier.monitoring.services, certifier.monitoring.prediction
from certifier.monitoring import parquet_body
{more}
print(sorted(name for name in ("torch", "sklearn") if name in sys.modules))
"""


@pytest.mark.parametrize("more", ["", "import mlcore.readers, mlcore.histograms"])
def test_neither_torch_nor_scikit_learn(more: str) -> None:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(more=more)],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
