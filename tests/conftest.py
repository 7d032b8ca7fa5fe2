"""Fixtures every room uses: the cast, their REST clients and pages, and what tests need from the machine."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from django.test import Client
from rest_framework.test import APIClient

from certifier.accounts import services
from certifier.accounts.models import Role, System, User
from tests import cast, needs

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Speed differs between machines, correctness does not. People's runs look for new examples each time; CI says the
# same of the same code.
hypothesis.settings.register_profile("house", deadline=None, print_blob=True, derandomize=needs.on_ci())
hypothesis.settings.load_profile("house")

LONGEST = "test_the_loaded_world.py"
NEEDS: dict[str, Callable[[], object]] = {
    "data": needs.shared_data_folder,
    "e2e": needs.chromium,
    "postgres": needs.postgresql_url,
    "redis": needs.redis_url,
    "sqlite": needs.sqlite,
}
DATABASE_FIXTURES = {
    "db",
    "transactional_db",
    "django_db_reset_sequences",
    "django_db_serialized_rollback",
    "live_server",
}


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, look in NEEDS.items():
        if item.get_closest_marker(marker):
            look()


def uses_database(item: pytest.Item) -> bool:
    return item.get_closest_marker("django_db") is not None or bool(
        DATABASE_FIXTURES & set(getattr(item, "fixturenames", ()))
    )


def needs_server(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(name) for name in ("postgres", "redis"))


def _waits(item: pytest.Item) -> bool:
    """For the second pass, in which what is about SQLite is not."""
    return item.get_closest_marker("once") is not None and item.get_closest_marker("sqlite") is None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """`make test` runs the suite twice. What needs PostgreSQL or Redis, or no database at all, runs once.

    What is marked "once" waits for the second pass where there is one: it is the database of an installation.
    pytest-django lets no test near the database that does not say so, hence what does not say so cannot differ. What is
    done in a browser runs once as well, on SQLite: the pages behind it are tested on both.
    """
    # Minutes that no other process can take a share of: begun last, they would be waited for alone.
    items.sort(key=lambda item: item.path.name != LONGEST)
    only = os.environ.get("CERTIFIER_TEST_PASS", "")
    if only == "sqlite":
        again = bool(os.environ.get("CERTIFIER_TEST_AGAIN"))
        left_out = [item for item in items if needs_server(item) or (again and _waits(item))]
    elif only == "postgresql":
        left_out = [
            item
            for item in items
            if item.get_closest_marker("sqlite")
            or item.get_closest_marker("e2e")
            or not (uses_database(item) or needs_server(item))
        ]
    else:
        return
    config.hook.pytest_deselected(items=left_out)
    gone = set(left_out)
    items[:] = [item for item in items if item not in gone]


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Name what was skipped and why, and hand the counts to `tests.run`."""
    reasons = Counter((report.location[0], _reason(report)) for report in terminalreporter.stats.get("skipped", []))
    skipped = [f"{count} in {file}: {reason}" for (file, reason), count in sorted(reasons.items())]
    report = os.environ.get("CERTIFIER_TEST_REPORT")
    if report and not hasattr(config, "workerinput"):
        outcomes = {kind: len(reports) for kind, reports in terminalreporter.stats.items() if kind}
        Path(report).write_text(json.dumps({"outcomes": outcomes, "skipped": skipped}))
    elif skipped:
        terminalreporter.section("skipped")
        for line in skipped:
            terminalreporter.line(line)


def _reason(report: Any) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")


@pytest.fixture
def systems(db: None) -> dict[str, System]:
    """LAR, PIXEL, TRIG_L1 … by code."""
    return {code: cast.make_system(code) for code in cast.SYSTEMS}


@pytest.fixture
def lar(systems: dict[str, System]) -> System:
    return systems["LAR"]


@pytest.fixture
def pixel(systems: dict[str, System]) -> System:
    return systems["PIXEL"]


@pytest.fixture
def ada(lar: System) -> User:
    """Expert of LAR."""
    return cast.make_expert("ada", lar)


@pytest.fixture
def ben(db: None) -> User:
    """Shifter."""
    return cast.make_user("ben", Role.SHIFTER)


@pytest.fixture
def chi(db: None) -> User:
    """Coordinator."""
    return cast.make_user("chi", Role.COORDINATOR)


@pytest.fixture
def dee(db: None) -> User:
    """Outsider: logged in, no role."""
    return cast.make_user("dee")


@pytest.fixture
def ova(db: None) -> User:
    """Administrator."""
    return cast.make_user("ova", Role.ADMIN)


@pytest.fixture
def api() -> Callable[[User | None], APIClient]:
    """`api(chi).get("/api/v1/runs/")`: a REST client with a token of that person; `api(None)` has none."""

    def client(user: User | None) -> APIClient:
        client = APIClient()
        if user is not None:
            _, key = services.create_token(actor=None, user=user, name="tests")
            client.credentials(HTTP_AUTHORIZATION=f"Token {key}")
        return client

    return client


@pytest.fixture
def page() -> Callable[[User | None], Client]:
    """`page(ada).get("/")`: a browser session of that person; `page(None)` is not logged in."""

    def client(user: User | None) -> Client:
        client = Client()
        if user is not None:
            client.force_login(user)
        return client

    return client


@pytest.fixture
def make_run(db: None) -> Callable[..., Any]:
    """`make_run(350479, lumisections=728)`"""
    return cast.make_run


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real certification files; mark such tests `data`."""
    return needs.shared_data_folder()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A Chromium; mark such tests `e2e`."""
    from playwright.sync_api import sync_playwright

    quiet = [
        "--no-sandbox",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
    ]
    # Playwright keeps an event loop in this thread, which Django would take for asynchronous code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=needs.chromium(), args=quiet)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Ends what is still connected to the test database, so that it can be dropped: a server process that a test killed
    may leave its session behind for a while, and PostgreSQL drops no database that somebody uses."""
    yield
    from django.db import connection

    if connection.vendor == "postgresql":
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
