"""Rows that are never changed: refused in the model here, and by a trigger on PostgreSQL (`protect` in
migrations)."""

from __future__ import annotations

from typing import Any, NoReturn, TypeVar

from django.db import migrations, models

M = TypeVar("M", bound=models.Model)


class AppendOnlyError(RuntimeError):
    """An append-only row was to be changed or deleted. Write a new row that says what is true now."""

    def __init__(self, model: type[models.Model], verb: str) -> None:
        super().__init__(
            f"{model._meta.verbose_name} rows are append-only and cannot be {verb}. "
            "Write a new row that says what is true now."
        )


class AppendOnlyQuerySet(models.QuerySet[M]):
    def update(self, **kwargs: Any) -> NoReturn:
        raise AppendOnlyError(self.model, "changed")

    def delete(self) -> NoReturn:
        raise AppendOnlyError(self.model, "deleted")

    def bulk_update(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnlyError(self.model, "changed")

    def bulk_create(self, *args: Any, **kwargs: Any) -> list[M]:
        if kwargs.get("update_conflicts"):
            raise AppendOnlyError(self.model, "changed")
        return super().bulk_create(*args, **kwargs)


class AppendOnlyModel(models.Model):
    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        abstract = True
        # Related managers and cascades go through the base manager: it must refuse as well.
        base_manager_name = "objects"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnlyError(type(self), "changed")
        kwargs["force_insert"] = True
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnlyError(type(self), "deleted")


FUNCTION = """
CREATE OR REPLACE FUNCTION certifier_refuse_change() RETURNS trigger AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: write a new row instead', TG_TABLE_NAME;
END;
$$ LANGUAGE plpgsql;
"""


def protect(*tables: str) -> migrations.RunPython:
    """A migration operation: the database itself refuses UPDATE and DELETE on these tables (PostgreSQL)."""

    def forwards(apps: Any, schema_editor: Any) -> None:
        if schema_editor.connection.vendor != "postgresql":
            return
        schema_editor.execute(FUNCTION.replace("%", "%%"), params=())
        for table in tables:
            schema_editor.execute(
                f'CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON "{table}" '
                "FOR EACH ROW EXECUTE FUNCTION certifier_refuse_change()"
            )

    def backwards(apps: Any, schema_editor: Any) -> None:
        if schema_editor.connection.vendor != "postgresql":
            return
        for table in tables:
            schema_editor.execute(f'DROP TRIGGER IF EXISTS append_only ON "{table}"')

    return migrations.RunPython(forwards, backwards)
