"""Files that tasks made for the recipients of their jobs."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import Storage, storages
from django.core.files.storage.handler import InvalidStorageError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from monitio.models.jobs import Job
from monitio.models.rows import PrimaryQuerySet


class JobFile(models.Model):
    """One file of a job. ``Job.files`` repeats what messages show of it."""

    job = models.ForeignKey(Job, models.CASCADE, related_name="attachments", verbose_name=_("job"))
    # What people read.
    name = models.CharField(_("name"), max_length=255)
    # Its name in STORAGES["monitio"].
    file = models.CharField(_("file"), max_length=255, unique=True)
    # In bytes.
    size = models.BigIntegerField(_("size"))
    content_type = models.CharField(_("content type"), max_length=255)
    created = models.DateTimeField(_("created"), default=timezone.now)
    # Afterwards it is not served, and prune deletes it.
    expires = models.DateTimeField(_("expires"), db_index=True)

    objects = PrimaryQuerySet.as_manager()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("file")
        verbose_name_plural = _("files")

    def __str__(self) -> str:
        return self.name


def file_storage() -> Storage:
    """``STORAGES["monitio"]``. Raises ``ImproperlyConfigured`` without it."""
    try:
        return storages["monitio"]
    except InvalidStorageError as error:
        raise ImproperlyConfigured(
            'Files of tasks need a storage of their own: add STORAGES["monitio"], for example '
            '{"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": '
            '"/srv/site/private"}}. No URL may lead to it: the default storage is public.'
        ) from error
