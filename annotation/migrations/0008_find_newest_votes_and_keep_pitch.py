from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("annotation", "0007_every_lease_knows_its_study"),
    ]

    operations = [
        migrations.AddField(
            model_name="dialogue",
            name="pitch",
            field=models.JSONField(blank=True, null=True),
        ),
        migrations.AddIndex(
            model_name="lease",
            index=models.Index(fields=["study", "submitted_at"], name="lease_newest_in_study"),
        ),
        migrations.RemoveIndex(model_name="pair", name="pair_kind_in_study"),
        migrations.AddIndex(
            model_name="pair",
            index=models.Index(fields=["study", "kind", "seats_left"], name="pair_kind_in_study"),
        ),
    ]
