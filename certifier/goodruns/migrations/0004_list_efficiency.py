from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("goodruns", "0003_list_loss")]

    operations = [
        migrations.AddField(
            model_name="listloss", name="efficiency", field=models.JSONField(null=True),
        ),
    ]
