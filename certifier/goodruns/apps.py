from __future__ import annotations

from django.apps import AppConfig


class GoodRunsConfig(AppConfig):
    name = "certifier.goodruns"
    verbose_name = "Good-run lists"
