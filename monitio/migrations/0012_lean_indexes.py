import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from monitio.models.rows import Index


def mark_running(apps, schema_editor):
    alias = schema_editor.connection.alias
    jobs = apps.get_model("monitio", "Job").objects.using(alias)
    open_jobs = jobs.filter(state__in=["queued", "started", "retrying"])
    messages = apps.get_model("monitio", "Message").objects.using(alias)
    messages.filter(job__in=open_jobs).update(running=True)


class Migration(migrations.Migration):
    dependencies = [
        ("monitio", "0011_texts"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            "message",
            "running",
            models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.RemoveIndex("message", "monitio_unread"),
        migrations.RemoveIndex("message", "monitio_visitor"),
        # MySQL drops no index that its foreign key needs: the new one comes first.
        migrations.AddIndex(
            "message",
            Index(
                name="monitio_sender",
                fields=["from_user"],
                partial=models.Q(from_user__isnull=False),
            ),
        ),
        migrations.AlterField(
            "message",
            "from_user",
            models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="monitio_messages_sent",
                to=settings.AUTH_USER_MODEL,
                verbose_name="from",
            ),
        ),
        migrations.AlterField(
            "message",
            "expires",
            models.DateTimeField(blank=True, null=True, verbose_name="expires"),
        ),
        migrations.AddIndex(
            "message",
            Index(
                name="monitio_unread",
                fields=["recipient_key", "id", "level", "expires"],
                partial=models.Q(read=False, hidden=False),
                full=["recipient_key", "read", "id"],
            ),
        ),
        migrations.AddIndex(
            "message",
            Index(
                name="monitio_once",
                fields=["recipient_key", "id"],
                partial=models.Q(
                    models.Q(level__in=(110, 120, 125, 130, 140), _negated=True), hidden=False
                ),
                full=["recipient_key", "level", "id"],
            ),
        ),
        migrations.AddIndex(
            "message",
            Index(
                name="monitio_running",
                fields=["recipient_key", "id"],
                partial=models.Q(running=True),
                full=["recipient_key", "running", "id"],
            ),
        ),
        migrations.AddIndex(
            "message",
            Index(
                name="monitio_expiring",
                fields=["expires"],
                partial=models.Q(expires__isnull=False),
            ),
        ),
        migrations.AddIndex(
            "message",
            Index(
                name="monitio_visitor",
                fields=["created"],
                partial=models.Q(user__isnull=True),
                full=["user", "created"],
            ),
        ),
        migrations.RunPython(mark_running, migrations.RunPython.noop, elidable=True),
    ]
