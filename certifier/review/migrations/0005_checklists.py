from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("accounts", "0003_saved_filter"),
        ("review", "0004_queue_append_only"),
    ]

    operations = [
        migrations.CreateModel(
            name="Checklist",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "stage",
                    models.CharField(
                        choices=[("express", "express"), ("bulk", "bulk"), ("final", "final")], max_length=8
                    ),
                ),
                ("number", models.PositiveIntegerField(help_text="1, 2, 3 … of the system and stage")),
                ("points", models.JSONField(default=list, help_text="texts, in their order")),
                ("by_name", models.CharField(max_length=150)),
                ("at", models.DateTimeField()),
                (
                    "by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "system",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="checklists",
                        to="accounts.system",
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(fields=("system", "stage", "number"), name="one_checklist_per_number")
                ],
            },
        ),
        migrations.CreateModel(
            name="ShiftNote",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("text", models.TextField()),
                ("by_name", models.CharField(max_length=150)),
                ("at", models.DateTimeField(db_index=True)),
                (
                    "by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"ordering": ["id"], "abstract": False, "base_manager_name": "objects"},
        ),
        migrations.AddField(
            model_name="signoff",
            name="checklist",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="sign_offs",
                to="review.checklist",
            ),
        ),
        migrations.AddField(
            model_name="signoff",
            name="ticked",
            field=models.JSONField(default=list, help_text="places of the points that were ticked, from 0"),
        ),
    ]
