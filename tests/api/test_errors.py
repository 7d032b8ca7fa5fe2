"""Every error of a view has its status and its form; what is not typed is a fault."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core import exceptions as django
from django.db import DataError, IntegrityError, OperationalError
from django.db.models import ProtectedError
from django.http import Http404
from django.test import override_settings
from django.urls import path
from hypothesis import given
from hypothesis import strategies as st
from rest_framework import exceptions as drf
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from certifier.accounts.permissions import NotAllowed
from certifier.api.errors import flatten
from certifier.audit import errors
from certifier.lumi import LumiError

pytestmark = pytest.mark.django_db
raised: list[Exception] = []


class Raises(APIView):
    permission_classes = [AllowAny]

    def get(self, request: Request) -> Response:
        raise raised[-1]


urlpatterns = [path("api/v1/raises/", Raises.as_view())]


@pytest.fixture(autouse=True)
def _addresses() -> Iterator[None]:
    with override_settings(ROOT_URLCONF=__name__):
        yield


def answer(error: Exception) -> Any:
    raised.append(error)
    try:
        return APIClient(raise_request_exception=False).get("/api/v1/raises/")
    finally:
        raised.clear()


def message(text: str, **place: object) -> dict[str, Any]:
    return {"errors": [{**place, "message": text}]}


@pytest.mark.parametrize(
    ("error", "status", "body"),
    [
        (errors.CertifierError("Wrong."), 400, message("Wrong.")),
        (errors.CertifierError("Wrong.", field="run", index=3), 400, message("Wrong.", index=3, field="run")),
        (
            errors.CertifierError("Two.", errors=[{"index": 0, "message": "a"}, {"field": "x", "message": "b"}]),
            400,
            {"errors": [{"index": 0, "message": "a"}, {"field": "x", "message": "b"}]},
        ),
        (errors.NotFound("Run 7 is not known."), 404, {"detail": "Run 7 is not known."}),
        (errors.Conflict("It is there."), 409, {"detail": "It is there."}),
        (errors.PreconditionFailed("It was changed."), 412, {"detail": "It was changed."}),
        (errors.TooLarge("Split it."), 413, {"detail": "Split it."}),
        (LumiError("“4-1” runs backwards."), 400, message("“4-1” runs backwards.")),
        (NotAllowed("That needs the role coordinator."), 403, {"detail": "That needs the role coordinator."}),
        (drf.PermissionDenied("No."), 403, {"detail": "No."}),
        (drf.MethodNotAllowed("GET"), 405, {"detail": 'Method "GET" not allowed.'}),
        (drf.UnsupportedMediaType("text/x"), 415, None),
        (drf.ParseError("Not JSON."), 400, message("Not JSON.")),
        (drf.ValidationError("Wrong."), 400, message("Wrong.")),
        (drf.ValidationError({"run": ["Wrong."]}), 400, message("Wrong.", field="run")),
        (drf.ValidationError({"non_field_errors": ["Wrong."]}), 400, message("Wrong.")),
        (
            drf.ValidationError({"entries": [{}, {"run": ["Wrong."]}]}),
            400,
            message("Wrong.", index=1, field="run"),
        ),
        (drf.ValidationError({"pileup": {5: ["Wrong."]}}), 400, message("Wrong.", index=5, field="pileup")),  # type: ignore[dict-item]
        (drf.ValidationError([{}, {"run": ["Wrong."]}]), 400, message("Wrong.", index=1, field="run")),
        (drf.ValidationError({"a": {"b": ["Wrong."]}}), 400, message("Wrong.", field="a.b")),
        (django.ValidationError("Wrong."), 400, message("Wrong.")),
        (django.ValidationError({"run": "Wrong."}), 400, message("Wrong.", field="run")),
        (django.SuspiciousOperation("Odd."), 400, message("Odd.")),
        (django.RequestDataTooBig("Big."), 413, None),
        (Http404("No run."), 404, {"detail": "No run."}),
        (Http404(), 404, {"detail": "There is nothing of that name or number."}),
        (ProtectedError("x", set()), 409, None),
        (IntegrityError("unique"), 409, None),
        (DataError("integer out of range"), 400, None),
        (OverflowError("Python int too large to convert to SQLite INTEGER"), 400, None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_it_gives_each_typed_error_its_answer(error: Exception, status: int, body: Any) -> None:
    response = answer(error)
    assert response.status_code == status
    assert response["Content-Type"] == "application/json"
    if body is not None:
        assert response.json() == body
    assert set(response.json()) == ({"errors"} if status == 400 else {"detail"})


def test_it_asks_to_come_back_when_the_database_is_busy() -> None:
    response = answer(OperationalError("database is locked"))
    assert (response.status_code, response["Retry-After"]) == (503, "1")


def test_it_answers_a_fault_as_json_and_names_the_request_in_the_log() -> None:
    response = answer(ZeroDivisionError("a secret of the program"))
    assert (response.status_code, response["Content-Type"]) == (500, "application/json")
    assert response["X-Request-ID"] in response.json()["detail"]
    assert b"secret" not in response.content


nested = st.recursive(
    st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(nested)
def test_it_keeps_every_message_however_deep(problem: Any) -> None:
    def leaves(value: Any) -> list[str]:
        if isinstance(value, dict):
            value = list(value.values())
        return [leaf for item in value for leaf in leaves(item)] if isinstance(value, list) else [value]

    items = flatten(problem)
    assert [item["message"] for item in items] == leaves(problem)
    assert all(set(item) <= {"index", "field", "message"} for item in items)
