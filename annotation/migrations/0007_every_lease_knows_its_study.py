import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Apart from the filling: PostgreSQL alters no table with rows whose foreign keys are still to be checked."""

    dependencies = [('annotation', '0006_votes_to_be_believed')]

    operations = [
        migrations.AlterField(
            model_name='lease',
            name='study',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='leases', to='annotation.study'),
        ),
    ]
