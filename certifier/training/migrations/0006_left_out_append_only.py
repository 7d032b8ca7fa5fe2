"""The database itself refuses to change or delete what is append-only (PostgreSQL)."""

from __future__ import annotations

from django.db import migrations

from certifier.audit.append_only import protect


class Migration(migrations.Migration):
    dependencies = [("training", "0005_left_out")]
    operations = [protect("training_leftout")]
