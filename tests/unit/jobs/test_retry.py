"""Retry: a new run continues in the job and its message."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from django.core import mail
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from monitio import api, dispatch, scope
from monitio.constants import State
from monitio.exceptions import NotAllowed, RetryFailed
from monitio.integrations import base
from monitio.integrations.base import Integration
from monitio.jobs.options import NotifyOptions
from monitio.jobs.reporter import JobReporter
from monitio.jobs.retry import StoredCall, retry_job, stored_call
from monitio.models import Delivery, Job, JobRun, Message
from monitio.serializers import payload
from monitio_celery.integration import celery
from monitio_tasks.receivers import integration
from tests.support import scopes
from tests.support.jobs import mailing, reporter, subjects_of
from tests.support.people import user, visitor_of

pytestmark = pytest.mark.django_db(transaction=True)
ENDS = {"failed": ("boom",), "revoked": (), "lost": ()}


class Queue(Integration):
    """A queue that stores started tasks in ``started``: the job's id and its call."""

    names = ("mine",)

    def __init__(self) -> None:
        self.started: list[tuple[str, StoredCall]] = []
        self.error: Exception | None = None

    def retry(self, job: Job, call: StoredCall) -> None:
        if self.error is not None:
            raise self.error
        self.started.append((job.task_id, call))
        JobReporter(job.task_id, integration="mine", render=mailing).queued()

    def run(self, **more: Any) -> JobReporter:
        """The reporter of a worker that runs the newest run."""
        return reporter(task=self.started[-1][0], integration="mine", **more)


@pytest.fixture(autouse=True)
def queue(monkeypatch: pytest.MonkeyPatch) -> Queue:
    monkeypatch.setattr(base, "_registered", [])
    monkeypatch.setattr(dispatch, "hooks", dispatch.Hooks())
    queue = Queue()
    base.register(queue)
    return queue


def ended(*people: Any, end: str = "failed", **more: Any) -> JobReporter:
    """The reporter of a job's first run, which has ended."""
    call = stored_call("shop.report", [1], {"month": "May"}, queue="slow")
    first = reporter(*(people or [user()]), integration="mine", call=call, **more)
    first.started()
    getattr(first, end)(*ENDS[end])
    return first


def job() -> Job:
    return Job.objects.get()


class TestRetry:
    @pytest.mark.parametrize("end", ENDS)
    def test_starts_the_task_with_its_arguments_and_the_same_message(
        self, queue: Queue, end: str
    ) -> None:
        ended(end=end)
        message = Message.objects.get()
        api.mark_read(user(), [message.pk])
        assert api.retry_job(user(), message.pk)
        ((task_id, call),) = queue.started
        assert (call.args, call.kwargs, call.options) == ([1], {"month": "May"}, {"queue": "slow"})
        assert (job().task_id, job().state) == (task_id, State.QUEUED)
        run = queue.run()
        run.started()
        run.succeeded()
        message = Message.objects.get()
        assert (message.subject, message.read) == ("succeeded 0", False)
        assert list(JobRun.objects.values_list("number", "state")) == [(1, end), (2, "")]

    def test_is_offered_only_after_a_failure(self, queue: Queue) -> None:
        ended()
        assert payload(Message.objects.get())["job"]["retry"] is True
        retry_job(job())
        assert payload(Message.objects.get())["job"]["retry"] is False
        queue.run().succeeded()
        assert payload(Message.objects.get())["job"]["retry"] is False

    def test_two_clicks_start_one_run(self, queue: Queue) -> None:
        ended()
        one, other = job(), job()
        assert retry_job(one)
        assert not retry_job(other)
        assert len(queue.started) == 1

    def test_a_click_while_the_task_is_published_starts_no_second_run(self, queue: Queue) -> None:
        ended()
        start, presses = queue.retry, list[bool]()

        def click_again(of: Job, call: StoredCall) -> None:
            presses.append(retry_job(job()))
            start(of, call)

        dispatch.hooks.retry["mine"] = click_again
        assert retry_job(job())
        assert (presses, len(queue.started)) == ([False], 1)

    def test_a_retry_whose_process_died_can_be_repeated(self, queue: Queue) -> None:
        ended()
        dispatch.hooks.retry["mine"] = Mock(side_effect=KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            retry_job(job())
        dispatch.hooks.retry["mine"] = queue.retry
        assert not retry_job(job())
        Job.objects.update(alive_at=timezone.now() - timedelta(minutes=2))
        assert retry_job(job())

    def test_can_be_repeated(self, queue: Queue) -> None:
        ended()
        for _ in range(2):
            assert retry_job(job())
            queue.run().failed("boom")
        assert list(JobRun.objects.values_list("number", flat=True)) == [1, 2, 3]

    def test_mails_the_next_end_too(self, queue: Queue) -> None:
        ended(render=mailing)
        retry_job(job())
        queue.run(render=mailing).succeeded()
        assert len(mail.outbox) == 2
        assert Delivery.objects.count() == 1

    def test_sends_a_requested_start_notice_of_the_new_run_too(self, queue: Queue) -> None:
        render = NotifyOptions(via={"started": {"email": True}}).content
        ended(render=render)
        retry_job(job())
        queue.run(render=render).started()
        assert len(mail.outbox) == 2

    def test_counts_the_time_of_the_new_run(self, queue: Queue) -> None:
        ended()
        before = job().started_at
        retry_job(job())
        queue.run().started()
        after = job().started_at
        assert before is not None and after is not None and after > before

    def test_begins_after_the_callers_commit(self, queue: Queue) -> None:
        ended()
        with transaction.atomic():
            assert retry_job(job())
            assert queue.started == []
        assert len(queue.started) == 1

    def test_is_for_visitors_too(self, client: Client, queue: Queue) -> None:
        ended(visitor_of(client))
        message = Message.objects.get()
        assert client.post(reverse("message_retry", args=[message.pk])).status_code == 302
        assert len(queue.started) == 1


class TestFormerRuns:
    def test_the_newest_run_wins_and_the_others_end_is_kept(self, queue: Queue) -> None:
        """A lost job whose worker is still alive."""
        first = ended(end="lost")
        retry_job(job())
        run = queue.run()
        run.started()
        assert not first.failed("late")
        assert job().state == State.STARTED
        run.succeeded()
        assert not first.succeeded()
        assert job().state == State.SUCCEEDED
        assert JobRun.objects.get(number=1).state == State.SUCCEEDED
        assert Message.objects.count() == 1

    def test_a_start_of_a_former_run_is_ignored(self, queue: Queue) -> None:
        first = ended(end="lost")
        retry_job(job())
        assert not first.started(1)
        assert not first.recovered()
        assert Job.objects.count() == 1
        assert JobRun.objects.get(number=1).state == State.LOST


class TestRefusals:
    def test_a_broker_that_is_down_leaves_all_as_it_was(self, queue: Queue) -> None:
        ended()
        before = list(Job.objects.values()), list(Message.objects.values())
        queue.error = ConnectionError("the broker is down")
        with pytest.raises(RetryFailed, match="broker is down"):
            retry_job(job())
        assert (list(Job.objects.values()), list(Message.objects.values())) == before
        queue.error = None
        assert retry_job(job())

    def test_a_failure_after_the_commit_leaves_all_as_it_was(self, queue: Queue) -> None:
        ended()
        before = list(Job.objects.values())
        queue.error = ConnectionError("the broker is down")
        with transaction.atomic():
            retry_job(job())
        assert list(Job.objects.values()) == before

    def test_a_run_that_began_although_publishing_failed_continues(self, queue: Queue) -> None:
        ended()
        start = queue.retry

        def fail_after_publishing(of: Job, call: StoredCall) -> None:
            start(of, call)
            queue.run().started()
            raise ConnectionError("no answer")

        dispatch.hooks.retry["mine"] = fail_after_publishing
        with pytest.raises(RetryFailed):
            retry_job(job())
        assert job().state == State.STARTED

    def test_a_job_whose_author_does_not_offer_it(self) -> None:
        first = reporter(user(), integration="mine")
        first.failed("boom")
        with pytest.raises(NotAllowed):
            retry_job(job())

    def test_the_job_of_another_user(self, bob: Any) -> None:
        ended()
        with pytest.raises(Message.DoesNotExist):
            api.retry_job(bob, Message.objects.get().pk)

    def test_a_task_whose_code_is_gone(self) -> None:
        """With the real integrations, which do not have the task."""
        call = stored_call("shop.gone", [], {})
        for task, queue in (("1", "celery"), ("2", "django.tasks")):
            mine = reporter(user(), task=task, integration=queue, call=call)
            mine.failed("boom")
            dispatch.hooks.retry |= {"celery": celery.retry, "django.tasks": integration.retry}
            with pytest.raises(RetryFailed):
                retry_job(Job.objects.get(task_id=task))
            assert Job.objects.get(task_id=task).may_be_retried

    def test_a_job_that_runs(self, queue: Queue) -> None:
        call = stored_call("shop.report", [], {})
        reporter(user(), integration="mine", call=call).started()
        assert not retry_job(job())
        assert queue.started == []


class TestStoredCall:
    def test_arguments_that_are_no_json_are_logged_once(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        for _ in range(2):
            assert stored_call("shop.odd", [object()], {}) is None
        assert caplog.text.count("shop.odd cannot be tried again: its arguments are no JSON") == 1

    def test_long_arguments_are_not_stored(self, caplog: pytest.LogCaptureFixture) -> None:
        assert stored_call("shop.long", ["x" * 200_000], {}) is None
        assert "shop.long cannot be tried again" in caplog.text

    def test_any_text_survives(self, queue: Queue) -> None:
        text = "half a surrogate \udc80, NUL \0, ł"
        call = stored_call("shop.report", [text], {})
        reporter(user(), integration="mine", call=call).failed("boom")
        retry_job(job())
        assert queue.started[0][1].args == [text]

    def test_is_encrypted_at_rest(self, queue: Queue, settings: Any) -> None:
        settings.MONITIO_ENCRYPTION = f"{__name__}.Backwards"
        ended()
        stored = JobRun.objects.get().call
        assert "May" not in stored
        assert stored.startswith("encrypted:")
        retry_job(job())
        assert queue.started[0][1].kwargs == {"month": "May"}
        queue.run().failed("boom")

    @pytest.mark.parametrize(
        ("encryption", "reason"),
        [(None, "set MONITIO_ENCRYPTION"), (f"{__name__}.LostKey", "wrong key")],
    )
    def test_fails_when_the_encryption_key_is_lost(
        self,
        queue: Queue,
        settings: Any,
        caplog: pytest.LogCaptureFixture,
        encryption: str | None,
        reason: str,
    ) -> None:
        settings.MONITIO_ENCRYPTION = f"{__name__}.Backwards"
        ended()
        settings.MONITIO_ENCRYPTION = encryption
        with pytest.raises(RetryFailed, match=reason):
            retry_job(job())
        assert "could not be tried again" in caplog.text
        assert (job().state, queue.started) == (State.FAILED, [])

    def test_calls_stored_before_encryption_can_be_read(self, queue: Queue, settings: Any) -> None:
        ended()
        settings.MONITIO_ENCRYPTION = f"{__name__}.Backwards"
        assert retry_job(job())


class Backwards:
    """A readable stand-in for encryption."""

    def encrypt(self, text: str) -> str:
        return text[::-1]

    def decrypt(self, text: str) -> str:
        return text[::-1]


class LostKey(Backwards):
    def decrypt(self, text: str) -> str:
        raise ValueError("wrong key")


def test_it_stays_in_the_scope_of_the_job(queue: Queue, settings: Any) -> None:
    settings.MONITIO_SCOPE = scopes.PATH
    with scope.activate("a"):
        ended()
        found = job()
    seen: list[str] = []
    dispatch.hooks.retry["mine"] = lambda of, call: seen.append(scope.current())
    retry_job(found)
    assert seen == ["a"]
    assert set(JobRun.objects.values_list("scope", flat=True)) == {"a"}


def test_retry_must_be_a_boolean() -> None:
    with pytest.raises(TypeError, match="retryable= must be True or False"):
        NotifyOptions(retryable="yes")


class TestView:
    @pytest.fixture
    def url(self) -> str:
        ended()
        return reverse("message_retry", args=[Message.objects.get().pk])

    def test_a_get_request_shows_a_confirmation(
        self, browser: Client, url: str, queue: Queue
    ) -> None:
        assert "Try “failed 0” again?" in browser.get(url).text
        assert queue.started == []

    def test_a_post_starts_it(self, browser: Client, url: str, queue: Queue) -> None:
        answer = browser.post(url, headers={"Accept": "application/json"})
        assert json.loads(answer.content)["ok"] is True
        assert subjects_of(user()) == ["queued"]

    @pytest.mark.parametrize("headers", [{}, {"Accept": "application/json"}])
    def test_a_broker_that_is_down_is_shown(
        self, browser: Client, url: str, queue: Queue, headers: dict[str, str]
    ) -> None:
        queue.error = ConnectionError("secret host is down")
        answer = browser.post(url, headers=headers)
        assert answer.status_code == 503
        assert "could not be started" in answer.text
        assert "secret" not in answer.text

    def test_others_get_404(self, client: Client, bob: Any, url: str) -> None:
        client.force_login(bob)
        assert client.post(url).status_code == 404

    @pytest.mark.parametrize("page", ["message_list", "message_detail"])
    def test_pages_offer_it(self, browser: Client, url: str, page: str) -> None:
        args = [Message.objects.get().pk] if page == "message_detail" else []
        assert f'"{url}"' in browser.get(reverse(page, args=args)).text
