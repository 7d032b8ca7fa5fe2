"""A POST with an `Idempotency-Key` has its effect once, however often and however simultaneously it is sent.

1. The person is found out first, outside any transaction.
2. A transaction opens and the key is inserted. A second request with the same key waits here: on PostgreSQL
   for the unique index, on SQLite for the write lock.
3. The view runs inside that transaction and its answer is stored with the key; everything commits together.
4. The second request then finds the key taken and answers what is stored.

Faults (5xx) and refused persons (401, 403) are rolled back with their key: the repetition tries again.
A refusal that is the request's own fault (400, 404, 409 …) is stored like a success, after what its view may
have written is undone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.views import APIView

from certifier.accounts.models import User
from certifier.accounts.permissions import can_view
from certifier.audit.errors import CertifierError, Conflict

from .errors import SAME_MOMENT, answer_to
from .middleware import PREFIX, response_of
from .models import IdempotencyRecord

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
ACCEPTABLE = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,198}[\x21-\x7e])?")
NOT_STORED = (401, 403)


class Undo(Exception):
    """Carries an answer out of the transaction that is to be rolled back."""

    def __init__(self, response: HttpResponseBase) -> None:
        self.response = response


@dataclass(frozen=True)
class Keyed:
    """One request with its key: what makes it the same as another one."""

    user: User
    key: str
    fingerprint: str


class IdempotencyMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self,
        request: HttpRequest,
        view: Callable[..., HttpResponseBase],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> HttpResponseBase | None:
        key = request.headers.get(HEADER)
        view_class = getattr(view, "cls", None)
        if request.method != "POST" or key is None or not request.path_info.startswith(PREFIX) or view_class is None:
            return None
        try:
            user = person(request, view_class)
            if user is None or not can_view(user):
                return None  # the view itself answers 401 or 403
            if not ACCEPTABLE.fullmatch(key):
                raise CertifierError("An idempotency key has 1 to 200 printable ASCII characters.", field=HEADER)
            return once(Keyed(user, key, fingerprint(request)), lambda: view(request, *args, **kwargs))
        except Exception as error:
            if (answer := answer_to(error)) is None:
                raise
            return response_of(answer)


def person(request: HttpRequest, view_class: type[APIView]) -> User | None:
    """Who sends it, as the view's own authentication says; None when it will refuse."""
    asked = Request(request, authenticators=[kind() for kind in view_class.authentication_classes])
    try:
        return asked.user if asked.user.is_authenticated else None
    except (APIException, PermissionDenied):
        return None


def fingerprint(request: HttpRequest) -> str:
    """Path, query, type and body as one digest. A multipart boundary is new each time and does not count."""
    body, boundary = request.body, (request.content_params or {}).get("boundary", "")
    if boundary:
        body = body.replace(boundary.encode("latin-1", "replace"), b"boundary")
    digest = hashlib.sha256()
    for part in (request.get_full_path().encode(), (request.content_type or "").encode(), body):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def once(keyed: Keyed, act: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    """The answer of `act`, or the one it gave before. Conflict when the key was used for something else."""
    try:
        with transaction.atomic():
            record = _reserve(keyed)
            if record is None:
                return _replay(keyed)
            response = _act(act)
            record.status, record.body = response.status_code, response.content
            record.content_type = response.get("Content-Type", "")
            record.save(update_fields=["status", "body", "content_type"])
            return response
    except Undo as undo:
        return undo.response


def _reserve(keyed: Keyed) -> IdempotencyRecord | None:
    try:
        with transaction.atomic():
            return IdempotencyRecord.objects.create(user=keyed.user, key=keyed.key, fingerprint=keyed.fingerprint)
    except IntegrityError:
        return None


def _act(act: Callable[[], HttpResponseBase]) -> HttpResponse:
    with transaction.atomic():
        response = cast("HttpResponse", act())  # the answer to a POST is never streamed
        render = getattr(response, "render", None)
        if callable(render):
            response = render()
        if response.status_code >= 500 or response.status_code in NOT_STORED:
            raise Undo(response)
        if response.status_code >= 400:
            transaction.set_rollback(True)  # back to the savepoint of this block: the key stays
    return response


def _replay(keyed: Keyed) -> HttpResponse:
    record = IdempotencyRecord.objects.filter(user=keyed.user, key=keyed.key).first()
    if record is None:
        raise Conflict(SAME_MOMENT)  # it was being forgotten just now
    if record.fingerprint != keyed.fingerprint:
        raise Conflict("This idempotency key was used for another request. Use a new key for a new request.")
    response = HttpResponse(bytes(record.body or b""), status=record.status, content_type=record.content_type)
    response[REPLAYED] = "true"
    return response
