import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import annotation.models.qualification


class Migration(migrations.Migration):

    dependencies = [
        ('annotation', '0004_deepen_the_room'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='study',
            name='entry',
            field=models.CharField(choices=[('none', 'none: who is added may judge at once'), ('device', 'device: consent, then a check of headphones and hearing'), ('full', 'full: consent, headphones and hearing, training, test pairs')], default='none', max_length=10),
        ),
        migrations.AddField(
            model_name='study',
            name='consent_text',
            field=models.TextField(blank=True, default='', verbose_name='consent'),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='study',
            name='shows_agreement',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='study',
            name='pairs_per_participant',
            field=models.PositiveSmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='study',
            name='completion_code',
            field=models.CharField(blank=True, default='', max_length=80),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='study',
            name='completion_url',
            field=models.URLField(blank=True, default=''),
            preserve_default=False,
        ),
        migrations.CreateModel(
            name='Invitation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('token', models.CharField(default=annotation.models.qualification.new_key, max_length=32, unique=True)),
                ('note', models.CharField(blank=True, max_length=200, verbose_name='note')),
                ('max_uses', models.PositiveIntegerField(default=1, verbose_name='how many people')),
                ('uses', models.PositiveIntegerField(default=0)),
                ('expires_at', models.DateTimeField(verbose_name='until')),
                ('withdrawn_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('study', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='invitations', to='annotation.study')),
            ],
            options={
                'ordering': ['-created_at', '-id'],
                'constraints': [models.CheckConstraint(condition=models.Q(('max_uses__gte', 1)), name='invitation_for_somebody'), models.CheckConstraint(condition=models.Q(('uses__lte', models.F('max_uses'))), name='invitation_not_used_more_than_allowed')],
            },
        ),
        migrations.CreateModel(
            name='Enrolment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('participant', models.CharField(blank=True, max_length=100)),
                ('joined_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('invitation', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='enrolments', to='annotation.invitation')),
                ('study', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='enrolments', to='annotation.study')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='enrolments', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-joined_at', '-id'],
                'constraints': [models.UniqueConstraint(fields=('study', 'user'), name='one_enrolment_per_study_and_user'), models.UniqueConstraint(condition=models.Q(('participant', ''), _negated=True), fields=('study', 'participant'), name='one_enrolment_per_participant')],
            },
        ),
        migrations.CreateModel(
            name='Consent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.CharField(max_length=64)),
                ('text', models.TextField()),
                ('given_at', models.DateTimeField()),
                ('withdrawn_at', models.DateTimeField(blank=True, null=True)),
                ('study', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='consents', to='annotation.study')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='consents', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-given_at', '-id'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('withdrawn_at__isnull', True)), fields=('study', 'user', 'version'), name='one_standing_consent_per_version')],
            },
        ),
        migrations.CreateModel(
            name='Attempt',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(default=annotation.models.qualification.new_key, max_length=32, unique=True)),
                ('step', models.CharField(choices=[('channels', 'Left and right'), ('headphones', 'Headphones'), ('level', 'Volume'), ('digits', 'Digits in noise'), ('differences', 'Fine differences'), ('training', 'Training'), ('gold', 'Test pairs')], max_length=12)),
                ('language', models.CharField(max_length=16)),
                ('seed', models.PositiveIntegerField(default=annotation.models.qualification.new_seed)),
                ('started_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('n_right', models.PositiveSmallIntegerField(default=0)),
                ('n_trials', models.PositiveSmallIntegerField()),
                ('passed', models.BooleanField(blank=True, null=True)),
                ('study', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='attempts', to='annotation.study')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='attempts', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-started_at', '-id'],
                'indexes': [models.Index(fields=['user', 'step', 'ended_at'], name='attempts_of_a_step')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('ended_at__isnull', True)), fields=('user', 'step', 'language'), name='one_open_attempt')],
            },
        ),
        migrations.CreateModel(
            name='TrialAnswer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveSmallIntegerField()),
                ('answer', models.CharField(max_length=20)),
                ('is_right', models.BooleanField()),
                ('answered_at', models.DateTimeField()),
                ('attempt', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='answers', to='annotation.attempt')),
            ],
            options={
                'ordering': ['attempt', 'number'],
                'constraints': [models.UniqueConstraint(fields=('attempt', 'number'), name='one_answer_per_trial')],
            },
        ),
    ]
