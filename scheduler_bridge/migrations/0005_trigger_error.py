"""What is known of triggers that cannot be asked for their fire times."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("scheduler_bridge", "0004_hold")]

    operations = [
        migrations.AddField(
            "job", "trigger_error", models.CharField(blank=True, default="", editable=False, max_length=500)
        ),
        migrations.AddField(
            "job", "set_aside", models.CharField(blank=True, default="", editable=False, max_length=64)
        ),
    ]
