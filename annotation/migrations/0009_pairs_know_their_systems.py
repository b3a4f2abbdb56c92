from django.db import migrations, models

from annotation import triggers


class Migration(migrations.Migration):
    """Which systems a pair compares stands on the pair: 300,000 of them are too many to be joined for each pick."""

    dependencies = [("annotation", "0008_find_newest_votes_and_keep_pitch")]

    operations = [
        migrations.RunPython(triggers.remove, triggers.create),
        migrations.AddField(
            model_name="pair",
            name="systems",
            field=models.CharField(blank=True, default="", editable=False, max_length=41),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="study",
            name="stopped_because",
            field=models.CharField(
                blank=True,
                choices=[
                    ("judgments_at_most", "the judgments of its budget were given"),
                    ("hours_at_most", "the hours of sound of its budget were heard"),
                    ("half_width_enough", "every interval on overall is narrow enough"),
                ],
                max_length=20,
                default="",
            ),
            preserve_default=False,
        ),
        migrations.AddIndex(
            model_name="pair",
            index=models.Index(fields=["study", "systems", "seats_left"], name="pair_systems_in_study"),
        ),
        migrations.RunPython(triggers.create, triggers.remove),
    ]
