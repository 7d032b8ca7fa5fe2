"""The page of a running job shows progress and end by itself, and stops asking when the job has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import expect

from certifier.accounts.models import User
from certifier.ops.models import Job, JobState

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


def test_progress_and_result_appear_without_a_reload(live_server: Any, browser: Browser, chi: User) -> None:
    job = Job.objects.create(
        kind="goodruns.build", key="k", state=JobState.RUNNING, attempt=1, started_at=timezone.now(), message="run 1"
    )
    session = Client()
    session.force_login(chi)
    context = browser.new_context(base_url=live_server.url)
    context.add_cookies([{"name": "sessionid", "value": session.cookies["sessionid"].value, "url": live_server.url}])
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    page.goto(f"/ops/jobs/{job.pk}/")
    page.evaluate("document.title = 'not reloaded'")
    Job.objects.filter(pk=job.pk).update(progress=0.4, message="run 350479")
    page.get_by_text("run 350479").wait_for()
    expect(page.get_by_text("40%")).to_be_visible()

    Job.objects.filter(pk=job.pk).update(state=JobState.DONE, result={"lists": 1}, finished_at=timezone.now())
    page.get_by_role("heading", name="Result").wait_for()
    expect(page.get_by_role("button", name="Start again")).to_be_visible()
    assert page.title() == "not reloaded"

    asked.clear()
    page.wait_for_timeout(3000)
    assert asked == [], "an ended job is asked for no more"
    assert problems == []
    context.close()
