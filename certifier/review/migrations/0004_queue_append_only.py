"""The database itself refuses to change or delete what is append-only (PostgreSQL)."""

from __future__ import annotations

from django.db import migrations

from certifier.audit.append_only import protect


class Migration(migrations.Migration):
    dependencies = [("review", "0003_the_queue")]
    operations = [protect("review_pull", "review_decision", "review_remark")]
