"""What a test needs from the machine. A lack is a skip with its reason; on CI (CI=true) it is a failure."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
DATA_ABSENT = "absent"


def on_ci() -> bool:
    return os.environ.get("CI", "").lower() in {"1", "true"}


def lacking(reason: str) -> NoReturn:
    if on_ci():
        pytest.fail(f"{reason} (on CI that is a failure, not a skip)", pytrace=False)
    pytest.skip(reason)


def shared_data_folder() -> Path:
    """The folder of real certification files. SHARED_DATA=absent says that this machine has none, also on CI."""
    given = os.environ.get("SHARED_DATA", "")
    if given == DATA_ABSENT:
        pytest.skip("the real certification files are not on this machine (SHARED_DATA=absent)")
    folder = Path(given) if given else REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        lacking(f"the real certification files are not in {folder}; set SHARED_DATA to their folder")
    return folder


def postgresql_url() -> str:
    url = os.environ.get("TEST_DATABASE_URL", "")
    if not url.startswith(("postgres", "psql")):
        lacking("needs PostgreSQL: run `make test`, or set TEST_DATABASE_URL")
    return url


def sqlite() -> None:
    if os.environ.get("TEST_DATABASE_URL"):
        pytest.skip("about SQLite; this is another database")


def redis_url() -> str:
    url = os.environ.get("TEST_REDIS_URL", "")
    if not url:
        lacking("needs Redis: run `make test`, or set TEST_REDIS_URL")
    return url


def chromium() -> str:
    """The path of a Chromium; CHROMIUM chooses one."""
    names = [os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
    for name in filter(None, names):
        if path := shutil.which(name):
            return path
    lacking("needs a browser: install Chromium, or set CHROMIUM to its path")
