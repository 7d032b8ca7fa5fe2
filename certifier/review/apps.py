from __future__ import annotations

from django.apps import AppConfig


class ReviewConfig(AppConfig):
    name = "certifier.review"
    verbose_name = "Review"

    def ready(self) -> None:
        from certifier.precert.hiding import hide_by

        from .blind import held_blind

        hide_by(held_blind)
