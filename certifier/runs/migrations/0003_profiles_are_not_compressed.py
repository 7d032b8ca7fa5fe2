"""PostgreSQL need not try to compress the columns of a profile: noise does not shrink, and trying takes longer than
writing."""

from __future__ import annotations

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def keep_as_they_are(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    if editor.connection.vendor == "postgresql":
        editor.execute("ALTER TABLE runs_runprofile ALTER COLUMN columns SET STORAGE EXTERNAL")


class Migration(migrations.Migration):
    dependencies = [("runs", "0002_append_only")]
    operations = [migrations.RunPython(keep_as_they_are, migrations.RunPython.noop)]
