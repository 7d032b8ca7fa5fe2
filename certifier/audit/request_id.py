"""The id that ties together everything one click, one REST call or one task did."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.http import HttpRequest, HttpResponse

_current: ContextVar[str] = ContextVar("request_id", default="")
ACCEPTABLE = re.compile(r"[A-Za-z0-9._-]{1,64}")


def current_request_id() -> str:
    """The id in force; a new one where nothing opened a scope (a shell, a command)."""
    if not _current.get():
        _current.set(uuid.uuid4().hex)
    return _current.get()


@contextmanager
def request_id_scope(request_id: str | None = None) -> Iterator[str]:
    token = _current.set(request_id or uuid.uuid4().hex)
    try:
        yield _current.get()
    finally:
        _current.reset(token)


class RequestIdMiddleware:
    """Takes a client's X-Request-ID when it is harmless, else makes one; answers it either way."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        with request_id_scope(given if ACCEPTABLE.fullmatch(given) else None) as request_id:
            response = self.get_response(request)
            response["X-Request-ID"] = request_id
            return response


class RequestIdFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = _current.get() or "-"
        return True
