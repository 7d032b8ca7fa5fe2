"""`make test` says what it ran: a lack is named, is a failure on CI, and PASSED means that everything passed."""

from __future__ import annotations

from typing import Any

import pytest

from tests import needs
from tests.run import conclude

GOOD: dict[str, Any] = {"outcomes": {"passed": 7}, "skipped": [], "status": 0}


@pytest.fixture(autouse=True)
def _not_on_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("TEST_REDIS_URL", raising=False)


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out.splitlines()[-1]


def test_a_lack_is_a_skip_with_its_reason() -> None:
    with pytest.raises(pytest.skip.Exception, match="needs Redis"):
        needs.redis_url()


def test_on_ci_a_lack_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="needs Redis"):
        needs.redis_url()


def test_a_machine_without_the_real_files_may_say_so_also_on_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("SHARED_DATA", "/no/such/folder")
    with pytest.raises(pytest.fail.Exception, match="set SHARED_DATA"):
        needs.shared_data_folder()
    monkeypatch.setenv("SHARED_DATA", "absent")
    with pytest.raises(pytest.skip.Exception, match="SHARED_DATA=absent"):
        needs.shared_data_folder()


def test_all_good_is_passed(capsys: pytest.CaptureFixture[str]) -> None:
    assert conclude({"sqlite": GOOD, "postgresql": GOOD}, [], 61) == 0
    assert last_line(capsys) == (
        "make test: PASSED — 7 passed on SQLite, 7 passed on PostgreSQL, 0 failed, 0 skipped, in 1 min 1 s."
    )


def test_one_failure_is_failed(capsys: pytest.CaptureFixture[str]) -> None:
    bad = {"outcomes": {"passed": 6, "failed": 1}, "skipped": [], "status": 1}
    assert conclude({"sqlite": GOOD, "postgresql": bad}, [], 1) == 1
    assert "FAILED — 7 passed on SQLite, 6 passed on PostgreSQL, 1 failed" in last_line(capsys)


def test_a_pass_that_ended_in_the_middle_is_failed(capsys: pytest.CaptureFixture[str]) -> None:
    broken = {"outcomes": {"passed": 6}, "skipped": [], "status": 2}
    assert conclude({"sqlite": broken, "postgresql": GOOD}, [], 1) == 1
    assert "FAILED" in last_line(capsys)


def test_what_was_skipped_is_counted_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    some = {"outcomes": {"passed": 7, "skipped": 3}, "skipped": ["3 in tests/web/x.py: needs a browser"], "status": 0}
    assert conclude({"sqlite": some, "postgresql": GOOD}, [], 1) == 0
    said = capsys.readouterr().out
    assert "not run: 3 in tests/web/x.py: needs a browser" in said
    assert "3 skipped (named above)" in said


def test_without_postgresql_it_says_so_loudly_and_fails_on_ci(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = ["TEST_DATABASE_URL is not set and no server could be started: no wheel"]
    assert conclude({"sqlite": GOOD}, missing, 1) == 0
    assert "NOTHING on PostgreSQL" in last_line(capsys)
    monkeypatch.setenv("CI", "true")
    assert conclude({"sqlite": GOOD}, missing, 1) == 1
