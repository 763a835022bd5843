"""Store the files of jobs, and delete them when they expire.

A file is stored before its row. A process that dies between the two leaves a file without a row,
which ``prune`` finds by the day in its name.
"""

from __future__ import annotations

import logging
import mimetypes
import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any
from uuid import uuid4

from django.core.files import File
from django.core.files.storage import Storage
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from monitio import dispatch
from monitio import scope as scopes
from monitio.conf import settings
from monitio.models import Job, JobFile
from monitio.models.files import file_storage
from monitio.utils.text import clean_text, one_line

logger = logging.getLogger("monitio")

NAME_LENGTH = 200
# Days that a file without a row may be in the making.
WRITING = 2


def clean_name(name: str) -> str:
    """A name without folders, control characters and direction marks."""
    path = PurePosixPath(clean_text(name).replace("\\", "/").strip("/. "))
    suffix = one_line(path.suffix[:20])
    cut = one_line(path.stem[: NAME_LENGTH - len(suffix)])
    return (cut + suffix).strip(". ") or "file"


def store_file(
    task_id: str, content: File[Any], name: str, content_type: str = ""
) -> JobFile | None:
    """Store a file of the task's job in place of one with the same name, and show it.

    None when the task has no job in the current scope: it notifies no one.
    Raises ``ImproperlyConfigured`` without ``STORAGES["monitio"]``, and what the storage raises.
    """
    storage, name = file_storage(), clean_name(name)
    if not Job.objects.of_task(task_id).exists():
        return None
    now = timezone.now()
    plain = re.sub(r"[^-.\w]+", "_", name, flags=re.ASCII)
    # A path that cannot be guessed.
    path = f"{_folder()}/{now.astimezone(UTC):%Y-%m-%d}/{uuid4().hex}/{plain[-100:]}"
    guessed = content_type or mimetypes.guess_type(name)[0] or "application/octet-stream"
    row = JobFile(
        name=name,
        file=storage.save(path, content),
        content_type=one_line(guessed),
        expires=now + timedelta(seconds=settings.FILES_KEEP),
    )
    row.size = storage.size(row.file)
    try:
        replaced = _save_row(task_id, row)
    except BaseException:
        storage.delete(row.file)
        raise
    dispatch.after_commit(lambda: _delete_stored(storage, replaced))
    return row


def _save_row(task_id: str, row: JobFile) -> list[str]:
    """Save the row; the stored names of those it replaces."""
    with transaction.atomic(using=dispatch.database()):
        # A write first: it locks the job, of which another process may attach a file, too.
        Job.objects.of_task(task_id).update(alive_at=timezone.now())
        row.job = Job.objects.of_task(task_id).get()
        former = JobFile.objects.filter(job=row.job, name=row.name)
        replaced = list(former.values_list("file", flat=True))
        former.delete()
        row.save(force_insert=True)
        files = JobFile.objects.filter(job=row.job).order_by("pk")
        row.job.files = [
            {"id": one.pk, "name": one.name, "size": one.size, "expires": one.expires.timestamp()}
            for one in files
        ]
        row.job.save(update_fields=["files"])
        dispatch.announce_job(row.job)
    return replaced


def _folder() -> str:
    """Of the current scope, which prunes its own files only."""
    return f"monitio/scope-{scopes.current()}"


def delete_expired(now: datetime) -> int:
    """Delete expired files and files without a row, of the current scope; their number."""
    try:
        storage = file_storage()
    except Exception:
        return 0  # This site has no files.
    # The messages name them as no longer available: Job.files stays.
    expired = JobFile.objects.filter(job__scope=scopes.current(), expires__lte=now)
    names = dict(expired.values_list("pk", "file")[:1000])
    _delete_stored(storage, names.values())
    JobFile.objects.filter(pk__in=list(names)).delete()
    return len(names) + _delete_orphans(storage, now)


def delete_files(rows: QuerySet[JobFile]) -> None:
    """Delete these files and their rows."""
    if names := list(rows.values_list("file", flat=True)):
        _delete_stored(file_storage(), names)
        rows.delete()


def _delete_orphans(storage: Storage, now: datetime) -> int:
    """Delete what was stored for a job that is gone, or by a process that was killed."""
    deleted, newest = 0, (now.astimezone(UTC) - timedelta(days=WRITING)).date()
    for day in _subfolders(storage, _folder()):
        folder = f"{_folder()}/{day}"
        try:
            is_old = date.fromisoformat(day) < newest
        except ValueError:
            continue  # not one of ours
        if not is_old:
            continue
        tokens = _subfolders(storage, folder)
        for start in range(0, len(tokens), 500):
            names = [
                f"{folder}/{token}/{name}"
                for token in tokens[start : start + 500]
                for name in storage.listdir(f"{folder}/{token}")[1]
            ]
            known = JobFile.objects.filter(file__in=names).values_list("file", flat=True)
            orphans = sorted({*names} - {*known})
            _delete_stored(storage, orphans)
            deleted += len(orphans)
        _delete_empty(storage, folder)
    return deleted


def _subfolders(storage: Storage, folder: str) -> list[str]:
    try:
        return storage.listdir(folder)[0]
    except (FileNotFoundError, NotImplementedError):
        return []


def _delete_stored(storage: Storage, names: Iterable[str]) -> None:
    """Errors are logged: the file has no row then, and is found again."""
    for name in names:
        try:
            storage.delete(name)
        except Exception:
            logger.exception("The file %s could not be deleted.", name)
        _delete_empty(storage, name.rpartition("/")[0])


def _delete_empty(storage: Storage, folder: str) -> None:
    """Remove a folder where a storage has any. Some storages delete a full one, too."""
    with suppress(Exception):
        if not any(storage.listdir(folder)):
            storage.delete(folder)
