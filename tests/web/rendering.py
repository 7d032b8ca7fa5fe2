"""Render a piece of template as a page would."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.template import engines
from django.test import RequestFactory

LOADS = "{% load marks lumisections luminosity times chrome %}"


def rendered(source: str, request: HttpRequest | None = None, **context: Any) -> str:
    return engines["django"].from_string(LOADS + source).render(context, request)


def request_of(path: str = "/", **cookies: str) -> HttpRequest:
    request = RequestFactory().get(path)
    request.COOKIES.update(cookies)
    return request
