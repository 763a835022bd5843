from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.http import HttpResponse
from django.utils import timezone

import monitio
from monitio import api, dispatch
from monitio.channels import deliveries
from monitio.channels.policy import LONGEST_DELAY, DeliveryPolicy, after, steps_from
from monitio.jobs.options import NotifyOptions
from monitio.jobs.reporter import MessageContent, Outcome
from monitio.models import Delivery, Message
from tests.support.jobs import reporter
from tests.support.people import request_of, shown, user

READ = DeliveryPolicy(unless="read", delay=60)


@pytest.mark.parametrize(
    ("asked", "how"),
    [
        ((False,), None),
        ((True,), DeliveryPolicy()),
        ((True, 0), DeliveryPolicy()),
        ((True, 60), READ),
        (("unless_read",), READ),
        (("unless_seen",), DeliveryPolicy(unless="seen", delay=60)),
        (("unless_seen", 5), DeliveryPolicy(unless="seen", delay=5)),
        (("unless_read", timedelta(minutes=2)), DeliveryPolicy(unless="read", delay=120)),
        (("unless_read", 0), DeliveryPolicy(unless="read")),
    ],
)
def test_email_and_its_delay_make_a_policy(asked: Any, how: DeliveryPolicy | None) -> None:
    assert DeliveryPolicy.from_options(*asked) == how


def test_the_usual_delay_is_a_setting(settings: Any) -> None:
    settings.MONITIO_EMAIL_DELAY = 7
    assert DeliveryPolicy.from_options("unless_read") == DeliveryPolicy(unless="read", delay=7)


@pytest.mark.parametrize(
    ("email", "delay", "error"),
    [
        ("always", None, ValueError),
        (None, None, ValueError),
        (1, None, ValueError),
        (False, 60, ValueError),
        (True, -1, ValueError),
        (True, float("nan"), ValueError),
        (True, LONGEST_DELAY + 1, ValueError),
        (True, True, TypeError),
        (True, "60", TypeError),
    ],
)
def test_invalid_options_are_refused(email: Any, delay: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="email"):
        DeliveryPolicy.from_options(email, delay)


# With deliveries.

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _without_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch.hooks, "deliver", None)


def when_due(monkeypatch: pytest.MonkeyPatch) -> str:
    """The state of the only delivery after its due time."""
    later = timezone.now() + timedelta(seconds=61)
    with monkeypatch.context() as clock:
        clock.setattr("django.utils.timezone.now", lambda: later)
        deliveries.run_due()
    return Delivery.objects.get().state


def write(email: Any, level: int = monitio.INFO, **more: Any) -> Message:
    return api.create_message(user(), level, "one", email=email, **more)


@pytest.mark.parametrize("email", ["unless_read", "unless_seen"])
def test_nothing_is_mailed_before_the_delay_is_over(
    email: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(email)
    assert deliveries.run_due() == (0, 0)
    assert mail.outbox == []
    assert when_due(monkeypatch) == "sent"
    assert len(mail.outbox) == 1


@pytest.mark.parametrize(
    ("email", "action", "state"),
    [
        ("unless_read", api.mark_read, "skipped"),
        ("unless_read", api.mark_seen, "sent"),
        ("unless_seen", api.mark_read, "skipped"),
        ("unless_seen", api.mark_seen, "skipped"),
    ],
)
def test_conditions_that_skip_the_email(
    email: str, action: Any, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    action(user(), [write(email).pk])
    assert when_due(monkeypatch) == state
    assert len(mail.outbox) == (state == "sent")


def test_the_admin_shows_why_no_email_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    api.mark_read(user(), [write("unless_read").pk])
    when_due(monkeypatch)
    assert Delivery.objects.get().error == "It was read before."


@pytest.mark.parametrize("email", ["unless_read", "unless_seen"])
def test_deleting_a_message_counts_as_reading(email: str) -> None:
    write(email)
    api.delete_all(user())
    assert not Message.objects.exists()
    assert not Delivery.objects.exists()


def test_a_message_shown_on_a_page_is_not_emailed() -> None:
    write("unless_read", level=20)
    request = request_of(user())
    assert shown(request) == ["one"]
    request._messages.update(HttpResponse())
    assert not Delivery.objects.exists()


def test_add_message_and_notify_many_wait_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    api.add_message(request_of(user()), monitio.INFO, "one", email="unless_seen", email_delay=5)
    api.notify_many([user("bob")], monitio.INFO, "two", email=True, email_delay=5)
    assert [row.unless for row in Delivery.objects.order_by("pk")] == ["seen", "read"]
    assert mail.outbox == []


def render_with(**how: Any) -> Any:
    """A render function whose content has these e-mail options."""
    return lambda outcome: MessageContent(subject=outcome.state, **how)


def test_a_user_who_saw_the_job_finish_gets_no_email(monkeypatch: pytest.MonkeyPatch) -> None:
    job = reporter(user(), render=render_with(email="unless_seen"))
    job.started()
    api.mark_seen(user(), [Message.objects.get().pk])
    job.succeeded()
    # The open page reports the end's pop-up as seen.
    api.mark_seen(user(), [Message.objects.get().pk])
    assert when_due(monkeypatch) == "skipped"


def test_seeing_the_running_job_does_not_skip_the_email(monkeypatch: pytest.MonkeyPatch) -> None:
    job = reporter(user(), render=render_with(email="unless_seen"))
    job.started()
    api.mark_seen(user(), [Message.objects.get().pk])
    job.succeeded()
    assert when_due(monkeypatch) == "sent"
    assert mail.outbox[0].subject == "succeeded"


def test_each_recipient_of_a_job_is_emailed_by_their_content() -> None:
    def render(outcome: Outcome) -> MessageContent:
        return MessageContent(subject="done", email=next(kinds))

    kinds = iter([True, "unless_read"])
    reporter(user(), user("bob"), render=render).succeeded()
    assert [row.unless for row in Delivery.objects.order_by("message_id")] == ["", "read"]


def test_invalid_options_of_a_render_function_are_replaced(
    caplog: pytest.LogCaptureFixture,
) -> None:
    reporter(user(), render=render_with(email="sometimes")).succeeded()
    assert "Rendering shop.report failed" in caplog.text
    assert Message.objects.get().subject != "succeeded"


def test_a_lost_job_that_continues_is_emailed_at_its_final_state(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = reporter(user(), render=render_with(email="unless_read"))
    job.started()
    job.lost()
    job.recovered()
    assert when_due(monkeypatch) == "pending"
    assert Delivery.objects.get().attempts == 0
    job.succeeded()
    Delivery.objects.update(due_at=timezone.now())
    deliveries.run_due()
    assert [letter.subject for letter in mail.outbox] == ["succeeded"]


class TestVia:
    @pytest.mark.parametrize(
        ("via", "steps"),
        [
            (None, ()),
            ({}, ()),
            ({"email": True}, (("email", DeliveryPolicy()),)),
            ({"email": False}, ()),
            ({"email": "unless_seen"}, (("email", DeliveryPolicy(unless="seen", delay=60)),)),
            ({"email": after(5)}, (("email", DeliveryPolicy(delay=5)),)),
            (
                {"email": after(timedelta(minutes=5), unless="seen")},
                (("email", DeliveryPolicy(unless="seen", delay=300)),),
            ),
            # As encoded in a task's header.
            (
                {"email": {"delay": 5, "unless": "read"}},
                (("email", DeliveryPolicy(unless="read", delay=5)),),
            ),
        ],
    )
    def test_each_channel_has_its_time_and_condition(self, via: Any, steps: Any) -> None:
        assert steps_from(via=via) == steps

    def test_the_steps_are_in_the_order_of_time(self, settings: Any) -> None:
        settings.MONITIO_CHANNELS = dict.fromkeys(["email", "pager", "fax"], "")
        via = {"email": after(300, unless="seen"), "fax": after(60), "pager": True}
        assert [name for name, _policy in steps_from(via=via)] == ["pager", "fax", "email"]

    @pytest.mark.parametrize(
        ("options", "error", "hint"),
        [
            ({"via": {"live": True}}, ValueError, "no channel"),
            ({"via": {"telex": True}}, ValueError, "MONITIO_CHANNELS lacks. It has email"),
            ({"via": {"email": "always"}}, ValueError, "'unless_read', 'unless_seen' or after"),
            ({"via": {"email": 5}}, ValueError, "after"),
            ({"via": "email"}, TypeError, "maps channels"),
            ({"via": {"email": {"delay": -1}}}, ValueError, "nothing and a year"),
            ({"via": {"email": {"days": 1}}}, TypeError, "days"),
            ({"email": True, "via": {"email": True}}, ValueError, "one of the two"),
        ],
    )
    def test_invalid_options_are_refused(
        self, options: Any, error: type[Exception], hint: str
    ) -> None:
        with pytest.raises(error, match=hint):
            steps_from(**options)

    @pytest.mark.parametrize(("delay", "unless"), [(5, "told"), (-1, ""), ("5", "")])
    def test_after_refuses_what_makes_no_sense(self, delay: Any, unless: str) -> None:
        with pytest.raises((TypeError, ValueError)):
            after(delay, unless=unless)

    def test_an_escalation_is_rows_with_rising_times_of_which_the_later_may_be_skipped(
        self, settings: Any
    ) -> None:
        path = "monitio.channels.email.channel.EmailChannel"
        settings.MONITIO_CHANNELS = {"first": path, "email": path}
        message = api.create_message(
            user(),
            monitio.INFO,
            "text",
            via={"first": True, "email": after(300, unless="seen")},
        )
        first, second = Delivery.objects.order_by("due_at")
        assert (first.state, second.state) == ("sent", "pending")
        assert second.due_at - first.created >= timedelta(seconds=300)
        api.mark_seen(user(), [message.pk])
        Delivery.objects.filter(pk=second.pk).update(due_at=timezone.now())
        deliveries.run_due()
        second.refresh_from_db()
        assert (second.state, second.error) == ("skipped", "It was seen before.")

    def test_a_task_sets_it_for_each_end(self) -> None:
        options = NotifyOptions(
            via={"failed": {"email": True}, "succeeded": {"email": after(60, unless="read")}}
        )

        def steps(state: str) -> Any:
            content = options.content(Outcome(task_id="1", state=state))
            assert content is not None
            return steps_from(content.email, content.email_delay, content.via)

        assert steps("failed") == (("email", DeliveryPolicy()),)
        assert steps("succeeded") == (("email", DeliveryPolicy(unless="read", delay=60)),)
        assert steps("lost") == steps("started") == ()

    def test_the_usual_ends_have_it_otherwise(self) -> None:
        options = NotifyOptions(via={"email": True})
        assert set(options.via or {}) == {"succeeded", "failed"}

    def test_a_task_with_two_options_for_e_mails_is_refused(self) -> None:
        with pytest.raises(ValueError, match="one of the two"):
            NotifyOptions(email=["failed"], via={"failed": {"email": True}})

    def test_a_job_is_sent_once_at_its_end(self) -> None:
        job = reporter(user(), render=render_with(via={"email": True}))
        job.started(), job.succeeded()
        assert [letter.subject for letter in mail.outbox] == ["succeeded"]

    def test_its_start_is_sent_only_if_requested_and_once(self) -> None:
        options = NotifyOptions(via={"started": {"email": True}, "succeeded": {"email": True}})
        job = reporter(user(), render=options.content)
        job.started(), job.retrying(1), job.started(1)
        assert len(mail.outbox) == 1
        job.succeeded()
        assert [letter.subject.partition(":")[2] for letter in mail.outbox] == ["", " done"]
        assert [row.at_start for row in Delivery.objects.order_by("pk")] == [True, False]

    def test_a_start_that_is_sent_after_the_end_is_not_needed(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dispatch.hooks, "deliver", lambda pk, due_at: None)
        options = NotifyOptions(via={"started": {"email": True}})
        job = reporter(user(), render=options.content)
        job.started(), job.succeeded()
        deliveries.run_due()
        row = Delivery.objects.get()
        assert (row.state, row.error, mail.outbox) == ("skipped", "The task has ended.", [])

    def test_every_way_to_write_a_message_takes_it(self) -> None:
        via: Any = {"email": after(60)}
        api.create_message(user(), monitio.INFO, "one", via=via)
        api.notify_many([user()], monitio.INFO, "two", via=via)
        api.add_message(request_of(user()), monitio.INFO, "three", via=via)
        # A message for the next page is stored at once, too.
        api.add_message(request_of(user()), 20, "four", via=via)
        assert Delivery.objects.count() == 4
