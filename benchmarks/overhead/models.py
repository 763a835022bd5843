from __future__ import annotations

from django.conf import settings
from django.db import models


class Note(models.Model):
    """What a handler written by hand keeps of a task."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    task_id = models.CharField(max_length=190, unique=True)
    state = models.CharField(max_length=20)
    text = models.TextField()
    created = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.text
