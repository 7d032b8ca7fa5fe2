from __future__ import annotations

from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "certifier.api"
    verbose_name = "REST"

    def ready(self) -> None:
        # Its authentication scheme becomes known to the OpenAPI generator by being imported.
        from . import schema  # noqa: F401
