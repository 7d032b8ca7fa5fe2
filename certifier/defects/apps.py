from __future__ import annotations

from django.apps import AppConfig


class DefectsConfig(AppConfig):
    name = "certifier.defects"
    verbose_name = "Defects"
