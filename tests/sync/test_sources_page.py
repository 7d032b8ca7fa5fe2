"""The page of sources: how far each is read, what was refused, and the button of coordinators."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from certifier.accounts.models import User
from certifier.ops.models import Job
from certifier.sync import services, tasks
from certifier.sync.sources import source_named

pytestmark = pytest.mark.django_db
Page = Callable[[User | None], Client]


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    settings.SYNC_SOURCES = {"files": {"kind": "folder", "address": str(tmp_path), "token": "never-shown"}}
    return tmp_path


def test_no_source_is_configured(page: Page, ben: User) -> None:
    assert "No source is configured." in page(ben).get("/sources/").content.decode()


def test_it_shows_how_far_and_what_was_refused(page: Page, ben: User, folder: Path) -> None:
    assert "not read yet" in page(ben).get("/sources/").content.decode()
    (folder / "bad.json").write_text("{")
    import os

    os.utime(folder / "bad.json", (1, 1))
    services.follow(actor=None, source=source_named("files"), progress=lambda *_: None)
    found = page(ben).get("/sources/").content.decode()
    assert "in step but for some" in found
    assert "bad.json: " in found
    assert "never-shown" not in found
    assert "Read now" not in found


def test_a_coordinator_asks_for_a_pass_and_a_worker_does_it(
    page: Page, chi: User, folder: Path, django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from certifier.ops import jobs

    monkeypatch.setattr(jobs.perform, "apply_async", lambda *args, **kwargs: None)
    answer = page(chi).post("/sources/files/follow/", follow=True)
    assert "reads files as soon as a worker has time" in answer.content.decode()
    job = Job.objects.get()
    assert (job.kind, job.requested_by) == (services.KIND, chi)
    page(chi).post("/sources/files/follow/")
    assert Job.objects.count() == 1
    assert tasks.follow(jobs.JobHandle(job), source="files")["outcome"] == "done"


def test_who_may_not_change_runs_is_refused(page: Page, ben: User, dee: User, folder: Path) -> None:
    assert page(ben).post("/sources/files/follow/").status_code == 403
    assert page(dee).get("/sources/").status_code == 403
    assert not Job.objects.exists()


def test_a_source_that_is_none(page: Page, chi: User, folder: Path) -> None:
    assert page(chi).post("/sources/other/follow/").status_code == 404


def test_a_configuration_that_is_wrong_is_told(page: Page, chi: User, settings: Any) -> None:
    settings.SYNC_SOURCES = {"oms": {"kind": "dials", "address": "https://dials.example"}}
    assert "the kind is one of" in page(chi).get("/sources/").content.decode()
