from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("monitio_celery", "0004_base_manager")]

    operations = [
        migrations.RenameModel("GroupPart", "GroupMember"),
        migrations.RenameField("groupmember", "share", "fraction"),
        migrations.RenameField("groupmember", "carried", "header"),
    ]
