"""The settings under test: certifier.settings, with nothing of the surrounding machine in them.

Whatever a developer has configured (a real DATABASE_URL above all) is set aside; what the program writes goes to a
temporary folder, one per test process. TEST_DATABASE_URL and TEST_REDIS_URL choose the servers.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

CONFIGURABLE = [
    "DATABASE_URL",
    "REDIS_URL",
    "STORAGE_URL",
    "SECRET_KEY",
    "STORED_SECRETS_KEY",
    "STORED_SECRETS_OLD_KEYS",
    "DEBUG",
    "ALLOWED_HOSTS",
    "EMAIL_URL",
    "SITE_URL",
    "NOTICES_PRIVATE_WEBHOOKS",
    "HTTPS",
]
for name in CONFIGURABLE:
    os.environ.pop(name, None)
    os.environ.pop(f"{name}_FILE", None)

if "CERTIFIER_TEST_ROOT" not in os.environ:
    os.environ["CERTIFIER_TEST_ROOT"] = tempfile.mkdtemp(prefix="certifier-test-")
    atexit.register(shutil.rmtree, os.environ["CERTIFIER_TEST_ROOT"], ignore_errors=True)
var = Path(os.environ["CERTIFIER_TEST_ROOT"]) / os.environ.get("PYTEST_XDIST_WORKER", "alone")
os.environ["CERTIFIER_VAR"] = str(var)
os.environ["SECRET_KEY"] = "for tests only"
if os.environ.get("TEST_DATABASE_URL"):
    os.environ["DATABASE_URL"] = os.environ["TEST_DATABASE_URL"]
if os.environ.get("TEST_REDIS_URL"):
    # Each process has its own database of the 16, so that nobody takes another's messages.
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw-1").removeprefix("gw")) % 14 + 1
    os.environ["REDIS_URL"] = f"{os.environ['TEST_REDIS_URL'].removesuffix('/0')}/{number}"

from certifier.settings import *  # noqa: E402, F403
from certifier.settings import DATABASES  # noqa: E402

if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # A file, as in real life: a database in memory has other locks, and other processes cannot see it.
    DATABASES["default"]["TEST"] = {"NAME": str(var / "test.sqlite3")}
# Argon2 is slow by intention.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
LOGGING_CONFIG = None
