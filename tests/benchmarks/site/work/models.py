"""A table for the floor: what one INSERT and one UPDATE cost by themselves."""

from django.db import models


class Entry(models.Model):
    """A row that is written and changed."""

    text = models.CharField(max_length=100)
    moment = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.text
