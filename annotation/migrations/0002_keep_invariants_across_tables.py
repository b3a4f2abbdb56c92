from django.db import migrations

from annotation.triggers import create, remove


class Migration(migrations.Migration):
    dependencies = [("annotation", "0001_initial")]
    operations = [migrations.RunPython(create, remove)]
