from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("monitio", "0009_job_due_and_run")]

    operations = [
        migrations.RenameField("job", "queue", "integration"),
        migrations.AlterField(
            "job",
            "integration",
            models.CharField(blank=True, default="", max_length=50, verbose_name="integration"),
        ),
        migrations.RenameField("job", "key", "rank"),
        migrations.RenameField("job", "done", "completed"),
        migrations.RenameField("job", "text", "status_text"),
        migrations.RenameField("preferences", "since", "digests_since"),
        migrations.RenameField("categorychoice", "since", "digests_since"),
        migrations.RenameField("repeat", "kind", "fingerprint"),
        migrations.RenameModel("LastBell", "LastEvent"),
    ]
