"""Who speaks: the owner of a token (`Authorization: Token KEY`), or the person of a browser session."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.db import OperationalError, connection
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from certifier.accounts.models import ApiToken, User
from certifier.accounts.selectors import token_of_key

logger = logging.getLogger(__name__)

KEYWORD = "Token"
# A time that is right to the minute is enough to see which scripts still run, and keeps reading from writing.
USE_IS_NOTED_EVERY = timedelta(minutes=1)


class TokenAuthentication(BaseAuthentication):
    """Two light queries per request; a key that does not hold is 401 and the message says why."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        words = request.META.get("HTTP_AUTHORIZATION", "").split()
        if not words or words[0].lower() != KEYWORD.lower():
            return None
        if len(words) != 2:
            raise AuthenticationFailed("Send the token as “Authorization: Token KEY”, one blank between them.")
        # The idempotency middleware asks before the view does.
        known: tuple[str, ApiToken] | None = getattr(request._request, "certifier_token", None)
        token = known[1] if known and known[0] == words[1] else live_token(words[1])
        request._request.certifier_token = (words[1], token)  # type: ignore[attr-defined]
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return KEYWORD


def live_token(key: str) -> ApiToken:
    """The token of a key. AuthenticationFailed when unknown, revoked or expired, or its owner inactive."""
    token = token_of_key(key)
    if token is None:
        raise AuthenticationFailed("This token is not known. Make a new one with “manage.py create_token USER”.")
    if token.revoked_at is not None:
        raise AuthenticationFailed(f"The token {token.prefix}… was revoked. Make a new one.")
    now = timezone.now()
    if token.expires_at is not None and token.expires_at <= now:
        raise AuthenticationFailed(f"The token {token.prefix}… has expired. Make a new one.")
    if not token.user.is_active:
        raise AuthenticationFailed(f"The account {token.user.username} is switched off. Ask an administrator.")
    if token.last_used_at is None or token.last_used_at < now - USE_IS_NOTED_EVERY:
        note_use(token)
    return token


def note_use(token: ApiToken) -> None:
    """Write `last_used_at` if the database is free to; a reader must not wait for somebody's long write."""
    now = timezone.now()
    due = ApiToken.objects.filter(pk=token.pk).exclude(last_used_at__gt=now - USE_IS_NOTED_EVERY)
    if connection.vendor != "sqlite":
        due.update(last_used_at=now)  # locks one row for a moment; a second request finds it noted
        return
    with connection.cursor() as cursor:
        patience = cursor.execute("PRAGMA busy_timeout").fetchone()[0]
        cursor.execute("PRAGMA busy_timeout = 0")
        try:
            due.update(last_used_at=now)
        except OperationalError:
            logger.debug("the use of token %s was not noted: the database is being written", token.prefix)
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {int(patience)}")
