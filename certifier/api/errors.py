"""From any error to the answer a client sees: one place for the whole REST interface.

400 `{"errors": [{"index"?, "field"?, "message"}]}`; every other refusal `{"detail": text}`. What is not known
here is a fault of the program: it is raised again, logged with its traceback and answered as 500.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.core import exceptions as django
from django.db import DataError, IntegrityError, OperationalError
from django.db.models import ProtectedError, RestrictedError
from django.http import Http404, UnreadablePostError
from rest_framework import exceptions as drf
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import set_rollback

from certifier.audit.errors import CertifierError, ErrorItem
from certifier.lumi import LumiError

logger = logging.getLogger(__name__)

SAME_MOMENT = "Somebody else wrote the same thing in the same moment. Read it again, then repeat what is still needed."
BUSY = "The database is busy with another change. Nothing was changed; try again in a moment."
BEYOND = "A number or a time lies beyond what the database can hold. Nothing was changed."


@dataclass(frozen=True)
class Answer:
    status: int
    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)


def detail(status: int, message: str, **headers: str) -> Answer:
    """A refusal in the contract's shape: `errors` for 400, `detail` for everything else."""
    body = {"errors": [{"message": message}]} if status == 400 else {"detail": message}
    return Answer(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """What REST framework calls for every exception of a view; None: it is a fault and is raised again."""
    answer = answer_to(exc)
    if answer is None:
        return None
    set_rollback()
    return Response(answer.body, status=answer.status, headers=answer.headers)


def answer_to(exc: Exception) -> Answer | None:
    """The answer to an error that is the client's to mend, or None when it is ours."""
    if isinstance(exc, CertifierError):
        if exc.status == 400:
            return Answer(400, {"errors": [dict(item) for item in exc.errors]})
        return detail(exc.status, exc.message)
    if isinstance(exc, LumiError):
        return detail(400, str(exc))
    if isinstance(exc, drf.APIException):
        return _answer_to_drf(exc)
    if isinstance(exc, Http404):
        return detail(404, str(exc) or "There is nothing of that name or number.")
    return _answer_to_django(exc) or _answer_to_database(exc)


def _answer_to_drf(exc: drf.APIException) -> Answer:
    headers: dict[str, str] = {}
    if challenge := getattr(exc, "auth_header", None):
        headers["WWW_Authenticate"] = challenge
    if isinstance(exc, drf.ValidationError):
        return Answer(400, {"errors": flatten(exc.detail)})
    return detail(exc.status_code, str(exc.detail), **headers)


def _answer_to_django(exc: Exception) -> Answer | None:
    if isinstance(exc, django.PermissionDenied):
        return detail(403, str(exc) or "Your roles do not allow it. Ask an administrator.")
    if isinstance(exc, django.ValidationError):
        return Answer(400, {"errors": flatten(exc.message_dict if hasattr(exc, "error_dict") else exc.messages)})
    if isinstance(exc, django.RequestDataTooBig):
        return detail(413, "The body is larger than one request may carry. Split it into several requests.")
    if isinstance(exc, django.SuspiciousOperation | django.BadRequest | UnreadablePostError):
        return detail(400, str(exc) or "The request cannot be read.")
    return None


def _answer_to_database(exc: Exception) -> Answer | None:
    if isinstance(exc, ProtectedError | RestrictedError):
        return detail(409, "Other rows still refer to it, so it stays.")
    if isinstance(exc, IntegrityError):
        # Services look before they write; what still collides is two clients at once. If not, the log tells.
        logger.warning("a constraint refused a change", exc_info=exc)
        return detail(409, SAME_MOMENT)
    if isinstance(exc, DataError | OverflowError):
        logger.warning("a value did not fit the database", exc_info=exc)
        return detail(400, BEYOND)
    if isinstance(exc, OperationalError):
        # A lock not given in time, or a deadlock that was broken. An unreachable server looks the same.
        logger.error("the database could not do it now", exc_info=exc)
        return detail(503, BUSY, Retry_After="1")
    return None


def flatten(problem: Any) -> list[ErrorItem]:
    """Nested validation messages as a flat list.

    `index` is the place in the first list met, `field` what is below it, or above it where nothing is below.
    """
    return [_item(path, message) for path, message in _leaves(problem, ())]


def _leaves(problem: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(problem, dict):
        for key, value in problem.items():
            named = () if key in {api_settings.NON_FIELD_ERRORS_KEY, "__all__"} else (key,)
            yield from _leaves(value, path + named)
    elif isinstance(problem, list | tuple):
        for index, value in enumerate(problem):
            yield from _leaves(value, (*path, index) if isinstance(value, dict | list) else path)
    else:
        yield path, str(problem)


def _item(path: tuple[str | int, ...], message: str) -> ErrorItem:
    item: ErrorItem = {}
    names = list(path)
    for place, step in enumerate(path):
        if isinstance(step, int):
            item["index"] = step
            names = list(path[place + 1 :]) or list(path[:place])
            break
    if names:
        item["field"] = ".".join(str(name) for name in names)
    item["message"] = message
    return item
