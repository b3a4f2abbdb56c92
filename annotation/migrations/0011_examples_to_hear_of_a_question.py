from django.db import migrations, models

from annotation import triggers


class Migration(migrations.Migration):
    dependencies = [("annotation", "0010_name_the_systems_of_pairs")]

    operations = [
        migrations.RunPython(triggers.remove, triggers.create),
        migrations.AddField(
            model_name="dimension",
            name="examples",
            field=models.JSONField(blank=True, default=list),
        ),
        migrations.RunPython(triggers.create, triggers.remove),
    ]
