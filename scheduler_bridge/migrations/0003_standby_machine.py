"""On which machine a standby waits."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("scheduler_bridge", "0002_hand_over")]

    operations = [
        migrations.AddField("standby", "machine", models.CharField(blank=True, max_length=100)),
    ]
