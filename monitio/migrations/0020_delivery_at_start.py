from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('monitio', '0019_heartbeat'),
    ]

    operations = [
        migrations.AddField(
            model_name='delivery',
            name='at_start',
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.UniqueConstraint(fields=('message', 'channel', 'target', 'at_start'), name='monitio_once_per_target'),
        ),
        # After what replaces it: MySQL keeps an index for every foreign key.
        migrations.RemoveConstraint(
            model_name='delivery',
            name='monitio_one_per_target',
        ),
    ]
