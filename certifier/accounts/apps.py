from __future__ import annotations

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "certifier.accounts"
    verbose_name = "People and systems"
