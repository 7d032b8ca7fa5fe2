"""REST v1: the rooms' own addresses under one prefix, the schema and its page."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

v1: list[URLPattern | URLResolver] = [
    *(
        path("", include(f"certifier.{room}.api"))
        for room in (
            *("accounts", "ops", "runs", "defects", "monitoring"),
            *("precert", "review", "training", "goodruns", "notices"),
        )
    ),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
]
urlpatterns = [
    path("v1/", include((v1, "api"))),
    path("docs/", SpectacularSwaggerView.as_view(url_name="api:schema"), name="api-docs"),
]
