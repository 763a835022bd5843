"""Log lines with structured fields."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

import monitio
from monitio.testing import run_due
from tests.support.jobs import reporter

pytestmark = pytest.mark.django_db(transaction=True)


def lines(caplog: pytest.LogCaptureFixture, field: str) -> list[dict[str, Any]]:
    """The fields of the log lines that have this field."""
    return [vars(record) for record in caplog.records if hasattr(record, field)]


def test_the_end_of_a_job_is_a_line_with_fields(ann: Any, caplog: pytest.LogCaptureFixture) -> None:
    job = reporter(ann)
    job.started()
    with caplog.at_level(logging.INFO, "monitio"):
        job.succeeded()
    (line,) = lines(caplog, "job_state")
    assert (line["job_state"], line["job_task_id"]) == ("succeeded", job.task_id)


def test_an_attempt_of_a_delivery_is_a_line_without_the_text(
    ann: Any, caplog: pytest.LogCaptureFixture
) -> None:
    message = monitio.create_message(ann, monitio.INFO, "a secret", email="unless_read")
    with caplog.at_level(logging.INFO, "monitio"):
        run_due(at=timezone.now() + timedelta(days=1))
    (line,) = lines(caplog, "delivery_id")
    assert line["delivery_id"] == message.deliveries.get().pk
    assert (line["delivery_channel"], line["delivery_state"]) == ("email", "sent")
    assert "secret" not in str(line)
