"""How the container serves. `manage.py serve` passes its own options and does not read this."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

bind = "0.0.0.0:8000"  # inside the container; the compose file says what is published
workers = int(os.environ.get("WEB_PROCESSES", "2"))
threads = int(os.environ.get("WEB_THREADS", "8"))
timeout = 120
control_socket_disable = True


def on_starting(server: Any) -> None:
    """Counts of processes that are gone would stay for ever."""
    folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
