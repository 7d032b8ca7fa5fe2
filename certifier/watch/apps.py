from __future__ import annotations

from django.apps import AppConfig


class WatchConfig(AppConfig):
    name = "certifier.watch"
    verbose_name = "Watching the guarantees"
