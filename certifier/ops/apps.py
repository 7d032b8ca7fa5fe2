from __future__ import annotations

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class OpsConfig(AppConfig):
    name = "certifier.ops"
    verbose_name = "Operation"

    def ready(self) -> None:
        # Whoever sends a task must know the broker: loading the application here makes it Celery's current one.
        import certifier.celery  # noqa: F401

        autodiscover_modules("metrics")
