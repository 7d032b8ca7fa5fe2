from __future__ import annotations

from django.apps import AppConfig


class OpsConfig(AppConfig):
    name = "certifier.ops"
    verbose_name = "Operation"

    def ready(self) -> None:
        # Whoever sends a task must know the broker: loading the application here makes it Celery's current one.
        import certifier.celery  # noqa: F401
