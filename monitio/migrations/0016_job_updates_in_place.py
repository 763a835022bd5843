from django.db import migrations, models

# PostgreSQL rewrites a row in place (HOT) if no indexed column changes and its page has room.
FREE = "ALTER TABLE monitio_job SET (fillfactor = 70)"
FULL = "ALTER TABLE monitio_job RESET (fillfactor)"


def leave_room(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(FREE)


def fill_pages(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(FULL)


class Migration(migrations.Migration):
    dependencies = [("monitio", "0015_job_runs")]

    operations = [
        migrations.RemoveIndex(model_name="job", name="monitio_job_silent"),
        migrations.AddIndex(
            model_name="job",
            index=models.Index(fields=["state"], name="monitio_job_state"),
        ),
        migrations.RunPython(leave_room, fill_pages),
    ]
