from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('monitio', '0023_send_permission'),
    ]

    operations = [
        migrations.AddField(
            model_name='message',
            name='icon',
            field=models.CharField(blank=True, db_default='', default='', editable=False, max_length=20),
        ),
    ]
