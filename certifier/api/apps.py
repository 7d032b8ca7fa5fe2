from __future__ import annotations

from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "certifier.api"
    verbose_name = "REST"
