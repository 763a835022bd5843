"""A job has one message per recipient: its states, texts, e-mails and transactions."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import mail
from django.db import transaction
from django.utils.functional import lazystr
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy, override

from monitio import api, constants
from monitio.channels import deliveries
from monitio.dispatch import hooks
from monitio.jobs.reporter import JobReporter, MessageContent, Outcome
from monitio.messages import visitors
from monitio.models import Delivery, Job, Message
from monitio.recipients import Recipient
from monitio.testing import capture_events
from tests.support.jobs import mailing, payloads, reporter, rolled_back, subjects_of
from tests.support.people import user

pytestmark = pytest.mark.django_db(transaction=True)

VISITOR = Recipient.for_visitor("v" * 32)


@pytest.fixture(autouse=True)
def _no_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a task queue, the committing process sends e-mails."""
    monkeypatch.setattr(hooks, "deliver", None)


def the_message() -> Message:
    return Message.objects.get(hidden=False)


def content(**fields: Any) -> MessageContent:
    return MessageContent(**{"subject": "s", "message": "m", **fields})


class TestRecipients:
    def test_the_same_message_shows_every_state(self) -> None:
        job = reporter(user())
        job.queued()
        first = the_message().pk
        job.started()
        job.succeeded()
        assert the_message().pk == first

    @pytest.mark.parametrize("action", [api.mark_read, api.mark_seen])
    def test_the_end_is_unread_and_unseen_again(self, action: Any) -> None:
        job = reporter(user())
        job.started()
        action(user(), [the_message().pk])
        job.succeeded()
        assert (the_message().read, the_message().seen) == (False, False)

    def test_progress_keeps_a_read_message_read(self) -> None:
        job = reporter(user())
        job.queued()
        api.mark_read(user(), [the_message().pk])
        job.started()
        assert the_message().read

    def test_the_end_is_a_new_message_where_the_old_one_was_deleted(self) -> None:
        job = reporter(user())
        job.queued()
        gone = the_message().pk
        api.delete(user(), [gone])
        for event in (job.started, lambda: job.retrying(0), lambda: job.started(1)):
            assert event()
            assert subjects_of(user()) == []
        job.progressed(1, 2, final=True)
        assert subjects_of(user()) == []
        job.succeeded()
        assert subjects_of(user()) == ["succeeded 1"]
        assert the_message().pk > gone

    def test_what_one_recipient_deletes_stays_with_the_other(self) -> None:
        job = reporter(user("ann"), user("bob"))
        job.queued()
        api.delete_all(user("ann"))
        job.started()
        assert (subjects_of(user("ann")), subjects_of(user("bob"))) == ([], ["started 0"])

    def test_an_interruption_that_was_deleted_does_not_hide_the_end(self) -> None:
        job = reporter(user())
        job.started()
        job.lost()
        api.delete_all(user())
        job.succeeded()
        assert subjects_of(user()) == ["succeeded 0"]

    def test_a_message_hidden_until_its_email_is_sent_is_replaced_by_the_end(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(hooks, "deliver", lambda pk, due_at: None)
        job = reporter(user(), render=mailing)
        job.started()
        job.lost()
        api.delete_all(user())
        assert Message.objects.get().hidden
        job.succeeded()
        assert subjects_of(user()) == ["succeeded"]

    def test_every_step_has_a_higher_version_and_event(self) -> None:
        job = reporter(user())
        with capture_events() as events:
            for step in (job.queued, job.started, job.lost, job.succeeded):
                step()
        data = payloads(events)
        assert [entry["version"] for entry in data] == [1, 2, 3, 4]
        assert [entry["job"]["state"] for entry in data] == [
            "queued", "started", "lost", "succeeded",
        ]  # fmt: skip
        assert the_message().version == 4


class TestNoRecipient:
    def test_a_deleted_user_is_left_out(self) -> None:
        ann, bob = user("ann"), user("bob")
        job = reporter(ann, bob)
        job.queued()
        ann.delete()
        assert job.succeeded()
        assert subjects_of(bob) == ["succeeded 0"]
        assert Message.objects.count() == 1

    def test_a_job_of_deleted_users_still_ends(self) -> None:
        ann = user()
        job = reporter(ann)
        ann.delete()
        assert job.succeeded()
        assert Job.objects.get().state == "succeeded"

    @pytest.mark.parametrize("entry", [{"user": "no number"}, {}, {"user": "1", "visitor": "x"}])
    def test_a_recipient_that_cannot_exist_is_logged_and_left_out(
        self, entry: dict[str, str], caplog: pytest.LogCaptureFixture
    ) -> None:
        reporter(user()).queued()
        row = Job.objects.get()
        row.recipients.insert(0, entry)
        row.save()
        assert reporter().succeeded()
        assert subjects_of(user()) == ["succeeded 0"]
        assert "a recipient that cannot exist" in caplog.text


class TestRender:
    def test_none_writes_nothing(self) -> None:
        job = reporter(user(), render=lambda outcome: None)
        assert job.started()
        assert job.succeeded()
        assert not Message.objects.exists()

    def test_a_message_that_exists_keeps_its_text_when_there_is_no_content(self) -> None:
        def once(outcome: Outcome) -> MessageContent | None:
            return None if outcome.has_ended else content(subject="on its way")

        job = reporter(user(), render=once)
        job.started()
        job.succeeded()
        assert subjects_of(user()) == ["on its way"]
        assert not the_message().read

    def test_a_start_held_back_is_sent_at_the_next_progress_of_any_process(self) -> None:
        has_content = False

        def later(outcome: Outcome) -> MessageContent | None:
            return content(subject="slow") if has_content else None

        job = reporter(user(), render=later)
        job.started()
        job.progressed(1, 9, final=True)
        assert subjects_of(user()) == []
        has_content = True
        with capture_events() as events:
            assert reporter(user(), render=later).progressed(2, 9, final=True)
        assert subjects_of(user()) == ["slow"]
        assert payloads(events)[-1]["job"]["done"] == 2

    def test_one_that_raises_is_logged_and_replaced(self, caplog: pytest.LogCaptureFixture) -> None:
        job = reporter(user(), render=lambda outcome: 1 / 0)  # type: ignore[arg-type,return-value]
        assert job.succeeded()
        assert len(subjects_of(user())) == 1
        assert "Rendering shop.report failed" in caplog.text

    def test_a_link_that_runs_code_is_refused(self, caplog: pytest.LogCaptureFixture) -> None:
        job = reporter(user(), render=lambda outcome: content(url="javascript:alert(1)"))
        job.succeeded()
        assert the_message().url == ""
        assert "cannot be linked to" in caplog.text

    def test_each_recipient_gets_it_in_their_language(self) -> None:
        people = [Recipient.for_user(user("ann"), "pl"), Recipient.for_user(user("bob"), "en")]
        job = reporter(*people, render=lambda outcome: content(subject=gettext_lazy("Yes")))
        with override("de"):
            job.succeeded()
        assert (subjects_of(user("ann")), subjects_of(user("bob"))) == (["Tak"], ["Yes"])

    def test_the_end_is_shown_however_odd_its_texts(self) -> None:
        odd = content(
            subject="x" * 300,
            message=lazystr("a\0b\udc80"),
            level=constants.ERROR - constants.OFFSET,
            extra_tags="t" * 300,
            category="c" * 300,
            url_label="l" * 300,
        )
        reporter(user(), render=lambda outcome: odd).succeeded()
        message = the_message()
        assert (len(message.subject), message.subject[127]) == (255, "…")
        assert message.message == "a\ufffdb\ufffd"
        assert message.level == constants.ERROR, "kept, whatever level was meant"
        assert (len(message.extra_tags), len(message.category)) == (255, 100)

    def test_a_text_is_html_only_while_it_is_marked_safe(self) -> None:
        texts = {"started": mark_safe("<b>on</b>"), "succeeded": "<b>off</b>"}
        job = reporter(user(), render=lambda outcome: content(message=texts[outcome.state]))
        job.started()
        assert (the_message().safe, the_message().text) == (True, "on")
        job.succeeded()
        assert (the_message().safe, the_message().text) == (False, "<b>off</b>")

    def test_it_gets_the_progress_of_the_job(self) -> None:
        seen: list[Outcome] = []

        def look(outcome: Outcome) -> MessageContent:
            seen.append(outcome)
            return content()

        error = ValueError("no")
        job = reporter(user(), render=look, arguments={"year": 2026})
        job.started()
        job.progressed(3, 4, final=True)
        job.failed(error)
        last = seen[-1]
        assert (last.state, last.done, last.total, last.error) == ("failed", 3, 4, "no")
        assert f"{last.done} of {last.total}" == "3 of 4", "the database gives back 3.0"
        assert last.exception is error and last.arguments == {"year": 2026}
        assert last.runtime is not None and 0 <= last.runtime < 100


class TestMail:
    def test_the_end_is_mailed_once(self) -> None:
        job = reporter(user(), render=mailing)
        for step in (job.started, job.succeeded, job.succeeded, job.revoked):
            step()
        assert [sent.to for sent in mail.outbox] == [["ann@example.com"]]

    def test_nothing_is_emailed_before_the_end(self) -> None:
        job = reporter(user(), render=mailing)
        job.queued()
        job.retrying(0)
        assert not Delivery.objects.exists()

    @pytest.mark.parametrize("deleted", [False, True])
    def test_an_end_after_an_interruption_is_not_mailed_again(self, deleted: bool) -> None:
        job = reporter(user(), render=mailing)
        job.started()
        job.lost()
        if deleted:
            api.delete_all(user())
        job.succeeded()
        assert len(mail.outbox) == 1

    def test_a_visitor_is_not_mailed(self) -> None:
        reporter(VISITOR, render=mailing).succeeded()
        assert subjects_of(VISITOR) == ["succeeded"]
        assert not Delivery.objects.exists()

    def test_an_email_that_was_not_sent_is_not_lost(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def down(pk: int, due_at: Any) -> None:
            raise OSError("the broker is down")

        monkeypatch.setattr(hooks, "deliver", down)
        reporter(user(), render=mailing).succeeded()
        assert not mail.outbox
        assert deliveries.run_due() == (1, 0)
        assert len(mail.outbox) == 1


class TestVisitor:
    def test_a_visitor_who_logs_in_is_notified_of_the_end_as_a_user(self) -> None:
        job = reporter(VISITOR)
        job.started()
        visitors.merge(VISITOR.token or "", user())
        moved = the_message()
        job.succeeded()
        assert subjects_of(user()) == ["succeeded 0"]
        assert subjects_of(VISITOR) == []
        assert the_message().pk == moved.pk

    def test_a_visitor_who_logs_in_before_the_first_message_gets_it_as_a_user(self) -> None:
        visitors.merge(VISITOR.token or "", user())
        reporter(VISITOR).succeeded()
        assert subjects_of(user()) == ["succeeded 0"]

    def test_progress_before_the_message_has_moved_is_not_lost(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        job = reporter(VISITOR)
        job.queued()
        with monkeypatch.context() as patch:
            patch.setattr(visitors, "_move", lambda *args: None)
            visitors.merge(VISITOR.token or "", user())
            job.started()
        assert subjects_of(VISITOR) == ["started 0"], "the same message, on its way"
        visitors.merge_after_commit(VISITOR)
        assert subjects_of(user()) == ["started 0"]

    def test_the_end_is_mailed_to_the_user(self) -> None:
        job = reporter(VISITOR, render=mailing)
        job.started()
        visitors.merge(VISITOR.token or "", user())
        job.succeeded()
        assert len(mail.outbox) == 1

    def test_a_user_who_is_also_a_visitor_has_one_message(self) -> None:
        job = reporter(VISITOR, user(), render=mailing)
        job.started()
        visitors.merge(VISITOR.token or "", user())
        job.succeeded()
        assert subjects_of(user()) == ["succeeded"]
        assert len(mail.outbox) == 1


class TestTransaction:
    def test_a_job_that_is_rolled_back_notifies_no_one(self) -> None:
        with capture_events() as events:
            with rolled_back():
                reporter(user(), render=mailing).succeeded()
        assert not events and not mail.outbox
        assert not Job.objects.exists() and not Message.objects.exists()

    def test_no_one_is_notified_before_the_commit(self) -> None:
        with capture_events() as events:
            with transaction.atomic():
                reporter(user()).succeeded()
                assert not events
            assert len(events) == 1

    def test_an_event_inside_a_rolled_back_savepoint_can_be_repeated(self) -> None:
        job: JobReporter = reporter(user())
        with transaction.atomic():
            with rolled_back():
                job.started()
            assert job.started()
        assert subjects_of(user()) == ["started 0"]
