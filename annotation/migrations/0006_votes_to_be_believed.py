import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models
from django.db.models import OuterRef, Subquery

from annotation import triggers


def keep_what_runs(apps, schema_editor):
    """Studies that have pairs were designed without checks."""
    apps.get_model('annotation', 'Study').objects.filter(pairs__isnull=False).update(check_rate=0.0)


def fill_study_of_leases(apps, schema_editor):
    pairs = apps.get_model('annotation', 'Pair').objects.filter(pk=OuterRef('pair'))
    apps.get_model('annotation', 'Lease').objects.update(study=Subquery(pairs.values('study')[:1]))


class Migration(migrations.Migration):

    dependencies = [
        ('annotation', '0005_become_an_annotator'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunPython(triggers.remove, triggers.create),
        migrations.CreateModel(
            name='Adjudication',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reason', models.CharField(max_length=1000)),
                ('requested_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'ordering': ['-requested_at', '-id'],
            },
        ),
        migrations.CreateModel(
            name='Exclusion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reason', models.CharField(max_length=1000)),
                ('excluded_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('lifted_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['-excluded_at', '-id'],
            },
        ),
        migrations.CreateModel(
            name='StudyStatistics',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('stratum', models.CharField(blank=True, max_length=200)),
                ('payload', models.JSONField(default=dict)),
                ('made_from', models.CharField(max_length=64)),
                ('n_judgments', models.PositiveIntegerField(default=0)),
                ('newest_at', models.DateTimeField(blank=True, null=True)),
                ('made_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('seconds', models.FloatField(default=0.0)),
            ],
            options={
                'verbose_name_plural': 'study statistics',
                'ordering': ['study', 'stratum'],
            },
        ),
        migrations.AddField(
            model_name='lease',
            name='purpose',
            field=models.CharField(choices=[('judging', 'judging'), ('adjudication', 'adjudication')], default='judging', max_length=12),
        ),
        migrations.AddField(
            model_name='lease',
            name='study',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='leases', to='annotation.study'),
        ),
        migrations.AddField(
            model_name='membership',
            name='group',
            field=models.CharField(blank=True, max_length=40, verbose_name='rater group'),
        ),
        migrations.AddField(
            model_name='pair',
            name='check_of',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='checks', to='annotation.pair'),
        ),
        migrations.AddField(
            model_name='pair',
            name='closed_because',
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name='pair',
            name='expected_value',
            field=models.SmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='pair',
            name='treatment',
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AddField(
            model_name='study',
            name='agreeing_votes_enough',
            field=models.PositiveSmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='study',
            name='check_rate',
            field=models.FloatField(default=0.16666666666666666),
        ),
        migrations.AddField(
            model_name='study',
            name='eligible_groups',
            field=models.JSONField(blank=True, default=list),
        ),
        migrations.AddField(
            model_name='study',
            name='group_quotas',
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AddField(
            model_name='study',
            name='half_width_enough',
            field=models.FloatField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='study',
            name='hours_at_most',
            field=models.FloatField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='study',
            name='is_pilot',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='study',
            name='judgments_at_most',
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='study',
            name='pair_designs',
            field=models.JSONField(blank=True, default=list),
        ),
        migrations.AddField(
            model_name='study',
            name='pairs_per_rater',
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='study',
            name='raters_at_least',
            field=models.PositiveSmallIntegerField(default=5),
        ),
        migrations.AddField(
            model_name='study',
            name='selection',
            field=models.CharField(choices=[('uniform', 'uniform: every open pair is as likely as any other'), ('adaptive', 'adaptive: mostly the pairs that tell most about the ranking')], default='uniform', max_length=10),
        ),
        migrations.AddField(
            model_name='study',
            name='uniform_floor',
            field=models.FloatField(default=0.1),
        ),
        migrations.AddIndex(
            model_name='lease',
            index=models.Index(fields=['study', 'state'], name='lease_state_in_study'),
        ),
        migrations.AddIndex(
            model_name='lease',
            index=models.Index(fields=['annotator', 'study', 'created_at'], name='lease_of_annotator_in_study'),
        ),
        migrations.AddIndex(
            model_name='pair',
            index=models.Index(fields=['study', 'kind'], name='pair_kind_in_study'),
        ),
        migrations.AddConstraint(
            model_name='pair',
            constraint=models.UniqueConstraint(condition=models.Q(('kind', 'repeat')), fields=('check_of',), name='one_repeat_of_a_pair'),
        ),
        migrations.AddConstraint(
            model_name='pair',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('kind__in', ['gold', 'spoken_check']), _negated=True), ('expected_value__isnull', False), _connector='OR'), name='check_has_expected_value'),
        ),
        migrations.AddConstraint(
            model_name='pair',
            constraint=models.CheckConstraint(condition=models.Q(('expected_value__isnull', True), models.Q(('expected_value__gte', -3), ('expected_value__lte', 3)), _connector='OR'), name='expected_value_on_the_scale'),
        ),
        migrations.AddConstraint(
            model_name='study',
            constraint=models.CheckConstraint(condition=models.Q(('check_rate__gte', 0), ('check_rate__lte', 0.5)), name='study_check_rate_at_most_a_half'),
        ),
        migrations.AddConstraint(
            model_name='study',
            constraint=models.CheckConstraint(condition=models.Q(('uniform_floor__gt', 0), ('uniform_floor__lte', 1)), name='study_uniform_floor_above_0'),
        ),
        migrations.AddField(
            model_name='adjudication',
            name='adjudicator',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='adjudications', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='adjudication',
            name='lease',
            field=models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='adjudication', to='annotation.lease'),
        ),
        migrations.AddField(
            model_name='adjudication',
            name='pair',
            field=models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='adjudication', to='annotation.pair'),
        ),
        migrations.AddField(
            model_name='adjudication',
            name='requested_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='exclusion',
            name='excluded_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='exclusion',
            name='lifted_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='exclusion',
            name='rater',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='exclusions', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='exclusion',
            name='study',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='exclusions', to='annotation.study'),
        ),
        migrations.AddField(
            model_name='studystatistics',
            name='study',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='statistics', to='annotation.study'),
        ),
        migrations.AddConstraint(
            model_name='exclusion',
            constraint=models.UniqueConstraint(condition=models.Q(('lifted_at__isnull', True)), fields=('study', 'rater'), name='one_standing_exclusion'),
        ),
        migrations.AddConstraint(
            model_name='studystatistics',
            constraint=models.UniqueConstraint(fields=('study', 'stratum'), name='one_result_per_study_and_stratum'),
        ),
        migrations.RunPython(triggers.create, triggers.remove),
        migrations.RunPython(keep_what_runs, migrations.RunPython.noop),
        migrations.RunPython(fill_study_of_leases, migrations.RunPython.noop),
    ]
