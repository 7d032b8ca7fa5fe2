from __future__ import annotations

from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    name = "certifier.monitoring"
    verbose_name = "Monitoring"
