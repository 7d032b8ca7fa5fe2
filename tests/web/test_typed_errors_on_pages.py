"""A typed error that a page did not expect becomes a page, or a message for htmx, with its own status and words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path

import certifier.urls
from certifier.accounts.models import User
from certifier.accounts.permissions import NotAllowed
from certifier.audit import errors
from certifier.lumi import LumiError

pytestmark = pytest.mark.django_db
raised: list[Exception] = []


def raises(request: HttpRequest) -> HttpResponse:
    raise raised[-1]


urlpatterns = [path("raises/", raises), *certifier.urls.urlpatterns]
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def _addresses() -> Iterator[None]:
    with override_settings(ROOT_URLCONF=__name__):
        yield


def get(client: Client, error: Exception, **headers: str) -> Any:
    raised.append(error)
    try:
        return client.get("/raises/", headers=headers)
    finally:
        raised.clear()


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (errors.CertifierError("Choose a run."), 400, "Choose a run."),
        (errors.NotFound("Run 7 is not known."), 404, "Run 7 is not known."),
        (errors.Conflict("LAR is signed already."), 409, "LAR is signed already."),
        (errors.PreconditionFailed("Ben changed it."), 412, "Ben changed it."),
        (errors.TooLarge("Split it."), 413, "Split it."),
        (LumiError("4-1 runs backwards."), 400, "4-1 runs backwards."),
        (NotAllowed("That needs the role coordinator."), 403, "That needs the role coordinator."),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_it_shows_what_the_error_says(chi: User, page: Any, error: Exception, status: int, words: str) -> None:
    answer = get(page(chi), error)
    assert answer.status_code == status
    assert words in answer.content.decode()
    assert "<html" in answer.content.decode()
    partial = get(page(chi), error, **HTMX)
    assert partial.status_code == status
    assert words in partial.content.decode()
    assert "<html" not in partial.content.decode()
    assert partial["HX-Retarget"] == "#messages"


def test_it_escapes_what_a_person_typed(chi: User, page: Any) -> None:
    error = errors.CertifierError("“<script>” is not a system.")
    for headers in ({}, HTMX):
        assert "<script>” is" not in get(page(chi), error, **headers).content.decode()


def test_it_sends_somebody_who_is_not_logged_in_to_log_in(page: Any) -> None:
    answer = get(page(None), NotAllowed("Reading needs the role viewer."))
    assert answer.status_code == 302
    assert answer["Location"].endswith("?next=/raises/")


def test_it_leaves_a_fault_a_fault(chi: User, page: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        get(page(chi), ZeroDivisionError())
