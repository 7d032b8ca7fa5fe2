from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_role_once")]

    operations = [
        migrations.CreateModel(
            name="SavedFilter",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("page", models.CharField(help_text="the page's name in the program: web:runs", max_length=40)),
                ("name", models.CharField(max_length=60)),
                (
                    "query",
                    models.CharField(
                        help_text="as it stands in the address, without the question mark", max_length=1_000
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="filters",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["page", "name"],
                "constraints": [
                    models.UniqueConstraint(fields=("user", "page", "name"), name="filter_of_a_page_once")
                ],
            },
        ),
    ]
