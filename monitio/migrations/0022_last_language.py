from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('monitio', '0021_job_queue'),
    ]

    operations = [
        migrations.AddField(
            model_name='preferences',
            name='last_language',
            field=models.CharField(blank=True, db_default='', default='', editable=False, max_length=16),
        ),
    ]
