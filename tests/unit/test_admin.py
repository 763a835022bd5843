from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import mark_safe

import monitio
from monitio import api, dispatch
from monitio.channels import deliveries, destinations
from monitio.models import Delivery, Digest, Job, Message
from monitio.recipients import Recipient
from monitio.testing import capture_events
from tests.support.people import user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _without_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch.hooks, "deliver", None)


@pytest.fixture
def root() -> Any:
    return user("root", is_superuser=True, is_staff=True)


@pytest.fixture
def browser(root: Any, client: Client) -> Client:
    client.force_login(root)
    return client


@pytest.fixture
def message() -> Message:
    return api.create_message(user(), monitio.INFO, "one", email=False)


def page(model: str, name: str, *args: Any) -> str:
    return reverse(f"admin:monitio_{model}_{name}", args=args)


def form(**values: Any) -> dict[str, Any]:
    """The form of a message, without its deliveries."""
    empty = {
        "user": "", "from_user": "", "subject": "", "message": "text", "level": 120,
        "category": "", "extra_tags": "", "url": "", "url_label": "", "expires_0": "",
        "expires_1": "", "close_timeout": "",
    }  # fmt: skip
    rows = {"deliveries-TOTAL_FORMS": 0, "deliveries-INITIAL_FORMS": 0}
    return {**empty, **rows, **values}


def test_messages_jobs_and_deliveries_are_registered() -> None:
    assert {Message, Job, Delivery} <= set(admin.site._registry)


@pytest.mark.parametrize("model", ["message", "job", "delivery"])
def test_every_list_and_page_opens(browser: Client, message: Message, model: str) -> None:
    job = Job.objects.create(task_id="t", completed=1, total=3, recipients=[{"visitor": "secret"}])
    visitors = api.create_message(Recipient.for_visitor("secret"), monitio.INFO, "two")
    delivery = Delivery.objects.create(message=message, channel="email")
    assert browser.get(page(model, "changelist"), {"q": "one"}).status_code == 200
    assert browser.get(page(model, "changelist")).status_code == 200
    rows = {"message": [message, visitors], "job": [job], "delivery": [delivery]}
    for row in rows[model]:
        response = browser.get(page(model, "change", row.pk))
        assert response.status_code == 200
        assert b"secret" not in response.content
        assert browser.get(page(model, "delete", row.pk)).status_code == 200


def test_a_message_written_in_the_admin_is_published_like_any_other(browser: Client) -> None:
    ann = user()
    assert browser.get(page("message", "add")).status_code == 200
    with capture_events() as events:
        response = browser.post(page("message", "add"), form(user=ann.pk, subject="Hello"))
    assert response.status_code == 302
    message = Message.objects.get(level=120)
    assert (message.user, message.subject, message.message) == (ann, "Hello", "text")
    assert [event.topic for event in events] == [Recipient.for_user(ann).topic]


@pytest.mark.parametrize(
    ("field", "value"), [("user", ""), ("user", "9999"), ("url", "javascript:x"), ("message", "")]
)
def test_a_bad_value_is_an_error_of_the_form(browser: Client, field: str, value: str) -> None:
    data = form(**{"user": user().pk, field: value})
    response = browser.post(page("message", "add"), data)
    assert response.status_code == 200
    assert list(response.context["adminform"].form.errors) == [field]
    assert not Message.objects.filter(level=120).exists()


def test_a_change_raises_the_version_and_is_published(browser: Client, message: Message) -> None:
    Message.objects.update(version=7, read=True)
    with capture_events() as events:
        browser.post(page("message", "change", message.pk), form(message="other"))
    message.refresh_from_db()
    assert (message.message, message.version, message.read) == ("other", 8, True)
    assert [event.data and (event.data["body"], event.data["version"]) for event in events] == [
        ("other", 8)
    ]


def test_a_save_without_a_change_is_not_published(browser: Client, message: Message) -> None:
    with capture_events() as events:
        browser.post(page("message", "change", message.pk), form(message="one"))
    assert events == []


def test_the_recipient_of_a_message_cannot_be_changed(browser: Client, message: Message) -> None:
    data = form(user=user("bob").pk, message="other")
    browser.post(page("message", "change", message.pk), data)
    message.refresh_from_db()
    assert (message.user.username, message.message) == ("ann", "other")


def test_a_safe_text_changed_by_hand_is_safe_no_longer(browser: Client) -> None:
    message = api.create_message(user(), monitio.INFO, mark_safe("<b>one</b>"))
    browser.post(
        page("message", "change", message.pk), form(message="<b>one</b>", subject="changed")
    )
    message.refresh_from_db()
    assert message.safe and message.subject == "changed"
    browser.post(page("message", "change", message.pk), form(message="<script>", subject="changed"))
    message.refresh_from_db()
    assert not message.safe


def test_safe_html_of_the_site_is_escaped_in_the_admin(browser: Client) -> None:
    message = api.create_message(user(), monitio.INFO, mark_safe("<i>one</i><script>x</script>"))
    delivery = Delivery.objects.create(message=message, channel="email")
    for model, row in (("message", message), ("delivery", delivery)):
        for address in (
            page(model, "changelist"),
            page(model, "change", row.pk),
            page(model, "delete", row.pk),
        ):
            content = browser.get(address).content.decode()
            assert "<i>one" not in content
            assert "&lt;i&gt;one" in content or model == "delivery"


def test_a_deletion_deletes_the_delivery_and_is_published(
    browser: Client, message: Message
) -> None:
    Delivery.objects.create(message=message, channel="email")
    with capture_events() as events:
        browser.post(page("message", "delete", message.pk), {"post": "yes"})
    assert not Message.objects.filter(level=120).exists()
    assert [(event.kind, event.data) for event in events] == [("gone", {"ids": [message.pk]})]


def test_deleting_several_is_published_to_each_recipient(browser: Client, message: Message) -> None:
    other = api.create_message(user("bob"), monitio.INFO, "two")
    data = {"action": "delete_selected", "_selected_action": [message.pk, other.pk], "post": "yes"}
    with capture_events() as events:
        browser.post(page("message", "changelist"), data)
    assert not Message.objects.filter(level=120).exists()
    assert {event.topic for event in events} == {message.recipient_key, other.recipient_key}


def test_jobs_and_deliveries_can_be_neither_made_nor_changed(browser: Client) -> None:
    job = Job.objects.create(task_id="t")
    for model in ("job", "delivery"):
        assert browser.get(page(model, "add")).status_code == 403
    browser.post(page("job", "change", job.pk), {"state": "failed"})
    job.refresh_from_db()
    assert job.state == "queued"


def test_a_list_counts_and_offers_no_more_than_its_limits(
    browser: Client, message: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    for category in ("old", "exports", "imports"):
        api.create_message(user(), monitio.INFO, "two", category=category)
    monkeypatch.setattr("monitio.admin.tables.COUNTED", 3)
    monkeypatch.setattr("monitio.admin.tables.LISTED", 2)
    monkeypatch.setattr("monitio.admin.tables.SEARCHED", 2)

    def listed(**query: str) -> list[str]:
        return [row.category for row in shown(**query).result_list]

    def shown(**query: str) -> Any:
        return browser.get(page("message", "changelist"), query).context["cl"]

    assert shown().result_count == 3
    choices = [choice["display"] for choice in shown().filter_specs[2].choices(shown())]
    assert choices[1:] == ["exports", "imports"]
    assert listed(q="two") == listed(level__exact="120") == ["imports", "exports"]
    # Sorting all rows would read them.
    assert listed(o="4") == ["exports", "imports"]
    assert listed(user__id__exact=str(user().pk)) == ["imports", "exports", "old", ""]


def test_selecting_all_selects_the_counted_rows(
    browser: Client, message: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitio.admin.tables.COUNTED", 1)
    newest = api.create_message(user(), monitio.INFO, "two")
    chosen = {"_selected_action": [newest.pk], "select_across": "1", "post": "yes"}
    browser.post(page("message", "changelist"), {"action": "delete_selected", **chosen})
    assert set(Message.objects.filter(level=120)) == {message}


def test_a_failed_delivery_is_sent_again_and_a_sent_one_is_not(
    browser: Client, message: Message
) -> None:
    failed = Delivery.objects.create(
        message=message, channel="email", state="failed", error="x", attempts=101,
        due_at=timezone.now() + timedelta(hours=1),
    )  # fmt: skip
    other = api.create_message(user("bob"), monitio.INFO, "two")
    sent = Delivery.objects.create(message=other, channel="email", state="sent")
    data = {"action": "send_again", "_selected_action": [failed.pk, sent.pk]}
    response = browser.post(page("delivery", "changelist"), data, follow=True)
    assert "1 delivery is on its way." in response.content.decode()
    failed.refresh_from_db()
    assert (failed.state, failed.error, len(mail.outbox)) == ("sent", "", 1)
    assert failed.attempts == 1


def test_users_with_view_permission_cannot_act(client: Client, message: Message) -> None:
    clerk = user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client.force_login(clerk)
    assert client.get(page("message", "change", message.pk)).status_code == 200
    assert client.get(page("message", "add")).status_code == 403
    assert client.post(page("message", "delete", message.pk), {"post": "yes"}).status_code == 403
    assert b"send_again" not in client.get(page("delivery", "changelist")).content


def test_a_message_shows_its_escalation_in_order_with_the_reasons(
    browser: Client, settings: Any
) -> None:
    path = "monitio.channels.email.channel.EmailChannel"
    settings.MONITIO_CHANNELS = {"first": path, "email": path}
    via = {"email": monitio.after(300, unless="seen"), "first": True}
    message = api.create_message(user(), monitio.INFO, "one", via=via)
    api.mark_seen(user(), [message.pk])
    Delivery.objects.filter(state="pending").update(due_at=timezone.now())
    deliveries.run_due()
    text = browser.get(page("message", "change", message.pk)).content.decode()
    first, second = text.index("first: Sent"), text.index("email: Not needed")
    assert first < second < text.index("It was seen before.")


def test_destinations_are_listed_without_their_addresses(browser: Client, settings: Any) -> None:
    row = destinations.add(user(), "email", {"secret": "hunter2"}, label="Pager")
    for url in (page("destination", "changelist"), page("destination", "change", row.pk)):
        text = browser.get(url).content.decode()
        assert "Pager" in text and "hunter2" not in text


def test_the_name_of_a_user_finds_their_messages(browser: Client, message: Message) -> None:
    api.create_message(user("bob"), monitio.INFO, "about ann")
    found = browser.get(page("message", "changelist"), {"q": "ann"})
    assert list(found.context["cl"].result_list) == [message]
    found = browser.get(page("message", "changelist"), {"q": "about"})
    assert [row.message for row in found.context["cl"].result_list] == ["about ann"]


def test_the_name_of_a_user_finds_their_rows_in_every_list(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: dict[str, list[Any]] = {name: [] for name in ("job", "delivery", "digest", "destination")}
    for who in (user(), user("bob"), user("anna")):
        job = Job.objects.create(task_id=str(who.pk))
        message = Message.objects.create(user=who, message="x", job=job)
        rows["job"].append(job)
        rows["delivery"].append(Delivery.objects.create(message=message, channel="email"))
        rows["digest"].append(Digest.objects.create(user=who, period="x", batch=who))
        rows["destination"].append(destinations.add(who, "email", {"secret": "x"}))
    # All rows are older than those that a search reads; names are found by an index.
    for searched, term, places in ((0, "ann", [0]), (9, "an", [2, 0]), (9, "nn", [])):
        monkeypatch.setattr("monitio.admin.tables.SEARCHED", searched)
        for name, made in rows.items():
            found = browser.get(page(name, "changelist"), {"q": term}).context["cl"].result_list
            assert list(found) == [made[place] for place in places], (name, term)


def test_the_id_of_a_task_finds_its_job_however_old(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = Job.objects.create(task_id="8c2f-1")
    Job.objects.create(task_id="8c2f-2")
    monkeypatch.setattr("monitio.admin.tables.SEARCHED", 1)
    found = browser.get(page("job", "changelist"), {"q": "8c2f-1"})
    assert list(found.context["cl"].result_list) == [old]
    assert browser.get(page("job", "changelist"), {"q": "a\0"}).status_code == 200


class TestDeletionOfMany:
    @pytest.fixture
    def many(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        from monitio import admin as module
        from monitio.messages import create

        monkeypatch.setattr(module, "LISTED_BEFORE_DELETION", 2)
        monkeypatch.setattr(create, "BATCH", 2)
        for name in ("ann", "bob", "ann"):
            api.create_message(user(name), monitio.INFO, "x", email=True)
        pks = list(Message.objects.values_list("pk", flat=True))
        return {"action": "delete_selected", "_selected_action": pks}

    def test_the_page_before_it_shows_a_number(self, browser: Client, many: Any) -> None:
        asked = browser.post(page("message", "changelist"), many)
        assert asked.context["deletable_objects"] == [["3 messages"]]

    def test_it_is_published_to_each_recipient(self, browser: Client, many: Any) -> None:
        with capture_events() as events:
            browser.post(page("message", "changelist"), {**many, "post": "yes"})
        assert not Message.objects.filter(pk__in=many["_selected_action"]).exists()
        assert not Delivery.objects.exists()
        assert {event.topic for event in events} == {f"user:{user(n).pk}" for n in ("ann", "bob")}

    def test_the_history_keeps_their_number_and_no_text(self, browser: Client, many: Any) -> None:
        browser.post(page("message", "changelist"), {**many, "post": "yes"})
        entry = LogEntry.objects.get()
        first, *_, last = sorted(many["_selected_action"])
        assert entry.object_repr == "3 messages"
        assert entry.change_message == f"The first is {first}, the last {last}."

    def test_it_needs_the_permission_for_their_deliveries(self, client: Client, many: Any) -> None:
        some = user("some", is_staff=True)
        names = ["view_message", "delete_message"]
        some.user_permissions.set(Permission.objects.filter(codename__in=names))
        client.force_login(some)
        client.post(page("message", "changelist"), {**many, "post": "yes"})
        assert Message.objects.count() == 3
