"""When reporting a state fails, the state is reported with the default texts."""

from __future__ import annotations

from contextlib import nullcontext
from pkgutil import resolve_name
from typing import Any
from unittest import mock
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, OperationalError, ProgrammingError
from django.utils.safestring import mark_safe
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitio.exceptions import UserFacingError
from monitio.jobs.options import NotifyOptions
from monitio.jobs.outcome import MessageContent
from monitio.jobs.reporter import JobReporter
from monitio.models import Delivery, Job, Message
from monitio.recipients import Recipient
from monitio.utils.database import is_unreachable
from monitio.utils.shorten import LONGEST_TEXT, LONGEST_URL, shorten
from tests.support.people import user

pytestmark = pytest.mark.django_db

ENDS = {"succeeded": "done", "failed": "failed", "revoked": "cancelled"}
SORRY = "Something went wrong. Site administrators can see the details."
DEFAULT_TEXTS = {"succeeded": "", "failed": SORRY, "revoked": ""}
ERRORS: tuple[type[Exception], ...] = (
    ValueError, KeyError, TypeError, AssertionError, RecursionError, OverflowError, StopIteration,
    AttributeError, DataError, IntegrityError, ProgrammingError,
)  # fmt: skip


def no(*args: Any, **options: Any) -> Any:
    raise RuntimeError("hunter2")


class Broken(Exception):
    """An exception whose methods raise errors."""

    __str__ = __repr__ = __format__ = __bool__ = __len__ = no  # type: ignore[assignment]


class BrokenForPeople(Broken, UserFacingError): ...


class BrokenValidation(ValidationError):
    def __init__(self) -> None: ...

    messages = property(no)  # type: ignore[assignment]
    __str__ = __repr__ = no  # type: ignore[assignment]


class Unprintable:
    __str__ = __format__ = __repr__ = no  # type: ignore[assignment]


def end(render: Any, state: str, given: Any = None, fault: Any = None) -> Message:
    """Start a job and end it with the fault active; its only message."""
    task, people = uuid4().hex, [Recipient.of(user())]
    # Another task each time: equal failures of one task would be collapsed.
    reporter = JobReporter(task, name=f"{task}.report", recipients=people, render=render)
    assert reporter.started()
    with fault or nullcontext():
        assert getattr(reporter, state)(*(() if state == "revoked" else (given,)))
    job = Job.objects.get(task_id=reporter.task_id)
    assert job.state == state
    return job.messages.get()


def fault(point: str, error: type[Exception], times: int) -> Any:
    """Make an internal function raise in its first calls."""
    owner, _, name = point.rpartition(".")
    real, left = getattr(resolve_name(owner), name), iter(range(times))

    def failing(*args: Any, **options: Any) -> Any:
        if next(left, None) is not None:
            raise error("hunter2")
        return real(*args, **options)

    return mock.patch(point, failing)


# Functions that report an end; those that an end does not need fail in every call.
POINTS = [
    *((f"monitio.jobs.messages.{name}", 2) for name in (
        "job_recipients", "rewrite_unseen", "rewrite", "steps_from",
        "dispatch.announce", "dispatch.after_commit", "JobMessages.content",
    )),
    ("monitio.jobs.reporter.JobReporter.outcome", 2),
    ("monitio.jobs.recipients.visitors.current_recipient", 2),
    ("monitio.jobs.messages.dispatch.deliver", 99),
    ("monitio.jobs.messages.deliveries.create_deliveries", 99),
    ("monitio.channels.deliveries.preferences.filter_by_preference", 99),
    ("monitio.jobs.collapse.collapse", 99),
    ("monitio.jobs.collapse.Repeat.objects.create", 99),
    *((f"monitio.jobs.{name}.public_reason", 2) for name in ("options", "texts")),
]  # fmt: skip
# Each example reports the start and the end of a new job.
examples = settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])


@examples
@given(point=st.sampled_from(POINTS), error=st.sampled_from(ERRORS), state=st.sampled_from([*ENDS]))
def test_an_exception_at_any_point_does_not_cost_the_end(
    point: tuple[str, int], error: type[Exception], state: str
) -> None:
    name, most = point
    for times in {1, most}:
        render = NotifyOptions(email=True).content
        message = end(render, state, "boom", fault(name, error, times))
        assert message.subject.startswith(f"Report: {ENDS[state]}")
        assert message.message == DEFAULT_TEXTS[state]
        assert "hunter2" not in message.subject + message.message


authors: list[Any] = [
    no,
    lambda outcome: Unprintable(),
    lambda outcome: f"{outcome.exception} {outcome.result}",
    lambda outcome: outcome.result.pages,
    "{result:d} {error:>9z}",
    "{result.a.b}",
    "{error!r:%}",
]
given_values: list[Any] = [
    None, "boom", 1, float("nan"), Broken(), BrokenForPeople(), BrokenValidation(), Unprintable(),
    ValidationError("%(odd)s", params={"even": 1}), UserFacingError(""), UserFacingError(Broken()),
]  # fmt: skip


@examples
@given(
    text=st.sampled_from(authors),
    title=st.sampled_from([None, *authors]),
    given=st.sampled_from(range(len(given_values))),
    state=st.sampled_from([*ENDS]),
)
def test_nothing_an_author_writes_costs_the_end(
    text: Any, title: Any, given: int, state: str
) -> None:
    choice = {"success": text, "failure": text, "revoked": text, "title": title, "when": no}
    options = NotifyOptions(**choice, url=text, url_label=text)
    message = end(options.content, state, given_values[given])
    assert message.subject.endswith(f": {ENDS[state]}")


@pytest.mark.parametrize(
    "wrong",
    [
        {"subject": Unprintable()}, {"message": Unprintable()}, {"level": "loud"},
        {"level": Unprintable()}, {"url": Unprintable()}, {"url": "https://[x"},
        {"url": "/" * (LONGEST_URL + 1)}, {"url_label": Unprintable()}, {"email": "sometimes"},
        {"extra_tags": Unprintable()}, {"category": Unprintable()}, {"email_delay": "soon"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)  # fmt: skip
def test_a_render_that_returns_nonsense_is_replaced(wrong: dict[str, Any]) -> None:
    message = end(lambda outcome: MessageContent(**{"subject": "Fine", **wrong}), "succeeded")
    assert message.subject == "Report: done"


@pytest.mark.parametrize("given", given_values, ids=lambda value: type(value).__name__)
def test_any_raised_object_is_a_failure_with_the_default_texts(given: Any) -> None:
    message = end(None, "failed", given)
    assert (message.subject, message.message) == ("Report: failed", SORRY)


def test_the_default_texts_keep_the_other_options() -> None:
    render = NotifyOptions(email=True, levels={"succeeded": 120}, category="exports").content
    refusing = fault("monitio.jobs.messages.rewrite_unseen", DataError, 1)
    message = end(render, "succeeded", None, refusing)
    assert (message.level, message.category) == (120, "exports")
    assert Delivery.objects.filter(message=message).exists()


def test_a_job_without_a_message_gets_none_when_something_fails() -> None:
    reporter = JobReporter("1", recipients=[Recipient.of(user())], render=lambda outcome: None)
    with fault("monitio.jobs.messages.job_recipients", DataError, 2):
        assert reporter.succeeded()
    assert Job.objects.get().state == "succeeded"
    assert not Message.objects.exists()


@pytest.mark.parametrize("way", ["queued", "retrying", "lost", "recovered"])
def test_a_state_before_the_end_is_reported_likewise(way: str) -> None:
    reporter = JobReporter(
        "1",
        recipients=[Recipient.of(user())],
        render=NotifyOptions(start="fine", lost="f").content,
    )
    if way != "queued":
        reporter.started()
    if way == "recovered":
        reporter.lost()
    with fault("monitio.jobs.messages.job_recipients", DataError, 2):
        assert getattr(reporter, way)(*([0] if way == "retrying" else []))
    assert Job.objects.get().state == {"recovered": "started"}.get(way, way)
    assert Message.objects.get().message != "fine"


def test_a_database_that_is_down_is_no_reason_for_default_texts() -> None:
    with (
        pytest.raises(OperationalError),
        fault("monitio.jobs.messages.job_recipients", OperationalError, 9),
    ):
        end(None, "succeeded", None, nullcontext())


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OperationalError("server closed the connection"), True),
        (OperationalError(1366, "Incorrect string value"), False),
        (OperationalError(2006, "Server has gone away"), True),
        (DataError(1366, "Incorrect string value"), False),
    ],
)
def test_a_refused_text_does_not_count_as_a_database_that_is_down(
    error: Exception, expected: bool
) -> None:
    assert is_unreachable(error) is expected


class TestBounds:
    def test_a_text_that_is_too_long_loses_its_middle(self) -> None:
        render = NotifyOptions(success="First {result} last").content
        text = end(render, "succeeded", "x" * 5_000_000).message
        assert len(text) == LONGEST_TEXT
        assert text.startswith("First x") and text.endswith("x last")

    def test_html_that_is_too_long_becomes_plain_text(self) -> None:
        html = mark_safe(f"<b>{'x' * LONGEST_TEXT}</b>")
        message = end(lambda outcome: MessageContent(subject="s", message=html), "succeeded")
        assert (len(message.message), message.safe) == (LONGEST_TEXT, False)

    @pytest.mark.parametrize("length", [100, 240, 248, 255, 1000, 100_000])
    def test_a_headline_shows_the_end_however_long_its_title_is(self, length: int) -> None:
        message = end(NotifyOptions(title="d" * length).content, "succeeded")
        assert message.subject.endswith(": done")
        assert len(message.subject) <= 255

    def test_the_error_is_bounded(self) -> None:
        message = end(None, "failed", ValueError(f"first {'x' * 5_000_000} last"))
        assert message.job is not None
        assert len(message.job.error) == LONGEST_TEXT
        assert message.job.error.endswith(" last")

    def test_the_arguments_that_are_stored_are_bounded(self) -> None:
        arguments = {"name": "x" * 5_000_000, "rows": list(range(100_000)), "month": "May"}
        JobReporter("1", recipients=[Recipient.of(user())], arguments=arguments).queued()
        stored = Job.objects.get().arguments
        assert [len(stored["name"]), len(stored["rows"])] == [LONGEST_TEXT] * 2
        assert stored["month"] == "May"

    def test_a_link_that_is_too_long_is_left_out_and_the_text_stays(self) -> None:
        render = NotifyOptions(success="Ready", url="/" * (LONGEST_URL + 1)).content
        message = end(render, "succeeded")
        assert (message.message, message.url) == ("Ready", "")

    @pytest.mark.django_db(transaction=True)
    def test_the_text_of_a_bar_is_bounded(self) -> None:
        reporter = JobReporter("1", recipients=[Recipient.of(user())])
        reporter.started()
        reporter.progressed(1, 9, "x" * 5_000_000, final=True)
        assert len(Job.objects.get().status_text) == 255

    def test_short_texts_stay_as_they_are(self) -> None:
        assert shorten("abcde", 5) == "abcde"
        assert shorten("abcdef", 5) == "ab…ef"
        assert shorten("abcdef", 4) == "ab…f"


@pytest.mark.django_db(transaction=True)
def test_progress_whose_text_is_refused_is_stored() -> None:
    reporter = JobReporter("1", recipients=[Recipient.of(user())])
    reporter.started()
    write = reporter._progress._update_row

    def refusing(standing: dict[str, Any], text: str) -> Job | None:
        if text:
            raise DataError("Incorrect string value")
        return write(standing, text)

    with mock.patch.object(reporter._progress, "_update_row", refusing):
        assert reporter.progressed(1, 9, "reading \U0001f600", final=True)
    job = Job.objects.get()
    assert (job.completed, job.status_text) == (1, "")
