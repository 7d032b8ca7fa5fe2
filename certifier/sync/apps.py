from __future__ import annotations

from django.apps import AppConfig


class SyncConfig(AppConfig):
    name = "certifier.sync"
    verbose_name = "Sources of runs"
