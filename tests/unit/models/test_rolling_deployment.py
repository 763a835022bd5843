"""During a rolling deployment, processes of the old version write to the new tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import AddField

import monitio
from monitio.models import Job, Message
from tests.support.people import user

# The last migrations of 1.0.0b1, the first version that sites can upgrade from.
RELEASED = {"monitio": "0010_names", "monitio_celery": "0005_names"}
LOADER = MigrationLoader(None, ignore_no_migrations=True)


def added_fields() -> Iterator[tuple[str, Any]]:
    """Migration and field of each column that a later migration adds to a released table."""
    for (app, name), migration in LOADER.disk_migrations.items():
        if app not in RELEASED or name <= RELEASED[app]:
            continue
        for operation in migration.operations:
            if isinstance(operation, AddField):
                place = f"{app}.{name}: {operation.model_name}.{operation.name}"
                yield place, operation.field


def test_the_released_migrations_exist() -> None:
    assert RELEASED.items() <= set(LOADER.disk_migrations)


def test_every_new_column_has_a_default_in_the_database() -> None:
    for place, field in added_fields():
        assert field.many_to_many or field.null or field.has_db_default(), (
            f"{place} needs a db_default: the old version inserts rows without it."
        )


@pytest.mark.django_db
def test_rows_of_the_old_version_are_complete() -> None:
    old = LOADER.project_state(list(RELEASED.items())).apps
    ann = user("ann")
    job = old.get_model("monitio", "Job").objects.create(task_id="old", name="shop.report")
    message = old.get_model("monitio", "Message").objects.create(
        user_id=ann.pk, recipient_key=f"user:{ann.pk}", level=monitio.INFO, message="old", job=job
    )
    assert (Job.objects.get(pk=job.pk).scope, Message.objects.get(pk=message.pk).scope) == ("", "")
