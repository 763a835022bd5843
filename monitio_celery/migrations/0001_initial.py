from __future__ import annotations

import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies: list[tuple[str, str]] = []
    operations = [
        migrations.CreateModel(
            name="GroupPart",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("group", models.CharField(max_length=64, verbose_name="group")),
                ("number", models.PositiveIntegerField(verbose_name="number")),
                ("failed", models.BooleanField(default=False, verbose_name="failed")),
                (
                    "created",
                    models.DateTimeField(
                        db_index=True, default=django.utils.timezone.now, verbose_name="created"
                    ),
                ),
            ],
            options={
                "verbose_name": "part of a group",
                "verbose_name_plural": "parts of groups",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("group", "number"), name="monitio_celery_part_once"
                    )
                ],
            },
        ),
    ]
