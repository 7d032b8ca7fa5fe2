"""What happened before notices were there is history: nobody is told of it."""

from __future__ import annotations

from typing import Any

from django.db import migrations
from django.db.models import Max
from django.utils import timezone


def begin_now(apps: Any, schema_editor: Any) -> None:
    tail = apps.get_model("runs", "Change").objects.aggregate(tail=Max("sequence"))["tail"] or 0
    # A clock that was moved hides nothing in a new installation: there the past is empty.
    since = timezone.now() if apps.get_model("ops", "Job").objects.exists() else None
    apps.get_model("notices", "Watermark").objects.get_or_create(pk=1, defaults={"sequence": tail, "since": since})


class Migration(migrations.Migration):
    dependencies = [("notices", "0001_initial"), ("runs", "0002_append_only")]
    operations = [migrations.RunPython(begin_now, migrations.RunPython.noop)]
