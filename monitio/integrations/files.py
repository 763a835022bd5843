"""``attach()``: files that a task makes for its recipients."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from monitio.integrations.run import TaskRun
    from monitio.jobs.options import NotifyOptions
    from monitio.models import JobFile

logger = logging.getLogger("monitio")


def attach(file_or_path: Any, name: str = "", *, content_type: str = "") -> JobFile | None:
    """Give the recipients of the running task a file, in place of one with the same name.

    ``file_or_path``: a path, bytes, or a file that is open for reading bytes. ``name`` is what
    people read; by default that of the file. Returns None outside of tasks, and in tasks that
    notify no one.

    Raises ``ImproperlyConfigured`` without ``STORAGES["monitio"]``, ``ValueError`` for a file
    without a name, ``OSError`` for a path that cannot be read, and what the storage raises.
    """
    # Here, because tasks import this module before apps are ready.
    from monitio.integrations.run import current_run
    from monitio.models.files import file_storage

    file_storage()
    run = current_run()
    return None if run is None else _attach(run, file_or_path, name, content_type)


def _attach(
    run: TaskRun, file_or_path: Any, name: str = "", content_type: str = ""
) -> JobFile | None:
    from monitio import scope as scopes
    from monitio.integrations.context import run_off_loop
    from monitio.jobs.files import store_file

    if run.reporter is None:
        return None
    job_id = run.reporter.job_id

    def store() -> JobFile | None:
        with scopes.activate(run.scope), _opened(file_or_path) as (content, own_name):
            if not (name or own_name):
                raise ValueError('A file needs a name: attach(file, name="report.pdf").')
            return store_file(job_id, content, name or own_name, content_type)

    with run.integration.uninterrupted():
        return run_off_loop(store)


@contextmanager
def _opened(file_or_path: Any) -> Iterator[tuple[Any, str]]:
    """The file, as Django's storages take it, and its name."""
    from django.core.files import File
    from django.core.files.base import ContentFile

    if isinstance(file_or_path, str | PathLike):
        with Path(file_or_path).open("rb") as opened:
            yield File(opened), Path(file_or_path).name
    elif isinstance(file_or_path, bytes):
        yield ContentFile(file_or_path), ""
    else:
        content = file_or_path if isinstance(file_or_path, File) else File(file_or_path)
        yield content, Path(str(content.name or "")).name


def attach_result(run: TaskRun | None, options: NotifyOptions | None, result: Any) -> None:
    """Attach what ``file=`` returns for a task that has succeeded.

    A path or a file, a pair of one and its name, or a list of these; None: nothing. What fails is
    logged: the task has succeeded.
    """
    if run is None or run.reporter is None or options is None or options.file is None:
        return
    try:
        made = options.file(run.reporter.succeeding(result))
        for entry in made if isinstance(made, list) else [made]:
            if entry is not None:
                _attach(run, *(entry if isinstance(entry, tuple) else (entry,)))
    except Exception:
        logger.exception("file= of %s failed; its message has no file.", run.name)
