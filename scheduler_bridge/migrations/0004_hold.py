"""The holds of before."""

from django.db import migrations, models

from scheduler_bridge.models.fields import InstantField


class Migration(migrations.Migration):
    dependencies = [("scheduler_bridge", "0003_standby_machine")]

    operations = [
        migrations.CreateModel(
            "Hold",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("begun_at", InstantField(verbose_name="held since")),
                ("ended_at", InstantField(null=True, verbose_name="held until")),
                ("reason", models.CharField(blank=True, max_length=500, verbose_name="reason")),
                ("by", models.CharField(blank=True, max_length=150, verbose_name="held by")),
            ],
            options={"verbose_name": "hold", "verbose_name_plural": "holds", "default_permissions": ()},
        ),
    ]
