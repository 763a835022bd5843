from __future__ import annotations

from typing import Any

import pytest

from monitio.jobs import JobReporter
from monitio.models import Job
from monitio.recipients import Recipient
from monitio_celery.reporters import reporter_for
from tests.people import user

pytestmark = pytest.mark.django_db


def test_the_worker_is_not_outrun_by_the_web_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The row appears between the worker's failed update and its look whether there is one."""
    recipients = [Recipient.of(user())]
    worker = JobReporter("1", queue="celery", recipients=recipients)
    advance = worker._advance

    def outrun(*args: Any) -> bool:
        if Job.objects.exists():
            return advance(*args)
        JobReporter("1", queue="celery", recipients=recipients).queued()
        return False

    monkeypatch.setattr(worker, "_advance", outrun)
    assert worker.started()
    assert Job.objects.get().state == "started"


def test_a_task_without_options_has_no_reporter() -> None:
    assert reporter_for(lambda: None, "1", {"to": [{"user": "1"}]}) is None
