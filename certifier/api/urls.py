"""REST v1: the rooms' own addresses under one prefix, the schema and its page."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

v1: list[URLPattern | URLResolver] = [
    path("", include(f"certifier.{room}.api")) for room in ("accounts", "ops", "runs", "defects", "review", "goodruns")
]
urlpatterns = [path("v1/", include((v1, "api")))]
