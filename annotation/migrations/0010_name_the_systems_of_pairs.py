from django.db import migrations


def name_systems(apps, schema_editor):
    Pair = apps.get_model("annotation", "Pair")
    rows = Pair.objects.filter(systems="").order_by("pk").values_list("pk", "dialogue_a__system", "dialogue_b__system")
    while batch := list(rows[:2000]):
        named = [Pair(pk=pk, systems="{}:{}".format(*sorted(systems))) for pk, *systems in batch]
        Pair.objects.bulk_update(named, ["systems"], batch_size=500)


class Migration(migrations.Migration):
    """Apart from the new column: PostgreSQL alters no table whose rows were changed in the same transaction."""

    dependencies = [("annotation", "0009_pairs_know_their_systems")]

    operations = [migrations.RunPython(name_systems, migrations.RunPython.noop)]
