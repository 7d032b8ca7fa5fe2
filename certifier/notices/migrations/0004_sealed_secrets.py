"""Secrets of webhooks were readable in the database; from now on they are encrypted there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import migrations, models

from certifier.notices.sealing import seal, unseal


def seal_all(apps: Any, schema_editor: Any) -> None:
    _rewrite(apps, seal)


def unseal_all(apps: Any, schema_editor: Any) -> None:
    _rewrite(apps, unseal)


def _rewrite(apps: Any, change: Callable[[str], str]) -> None:
    for row in apps.get_model("notices", "Webhook").objects.only("sealed_secret"):
        row.sealed_secret = change(row.sealed_secret)
        row.save(update_fields=["sealed_secret"])


class Migration(migrations.Migration):
    dependencies = [("notices", "0003_trends")]
    operations = [
        migrations.RenameField("webhook", "secret", "sealed_secret"),
        migrations.AlterField("webhook", "sealed_secret", models.CharField(max_length=400)),
        migrations.RunPython(seal_all, unseal_all),
    ]
