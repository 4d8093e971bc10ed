"""Runs that are handed over to an engine."""

from django.db import migrations, models

from scheduler_bridge.models.fields import InstantField, NarrowIndex


class Migration(migrations.Migration):
    dependencies = [("scheduler_bridge", "0001_initial")]

    operations = [
        migrations.AddField("job", "handed_run_id", models.BigIntegerField(blank=True, editable=False, null=True)),
        migrations.AddField(
            "job", "override_queue", models.CharField(blank=True, max_length=100, null=True, verbose_name="queue")
        ),
        migrations.AddField("run", "queue", models.CharField(blank=True, max_length=100, verbose_name="queue")),
        migrations.AddField("run", "hand_at", InstantField(blank=True, editable=False, null=True)),
        migrations.AddField("run", "hand_tries", models.PositiveIntegerField(default=0, editable=False)),
        migrations.AddField(
            "run", "handed_at", InstantField(blank=True, editable=False, null=True, verbose_name="handed over")
        ),
        migrations.AddField(
            "run", "heartbeat_at", InstantField(blank=True, editable=False, null=True, verbose_name="heartbeat")
        ),
        migrations.AddIndex(
            "run", NarrowIndex(fields=["hand_at"], name="sb_run_hand", only=models.Q(hand_at__isnull=False))
        ),
    ]
