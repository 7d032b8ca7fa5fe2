from __future__ import annotations

from django.apps import AppConfig


class AssociationsConfig(AppConfig):
    name = "certifier.associations"
    verbose_name = "Associations"
