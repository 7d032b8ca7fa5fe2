from __future__ import annotations

from django.apps import AppConfig


class PrecertConfig(AppConfig):
    name = "certifier.precert"
    verbose_name = "Pre-certification"
