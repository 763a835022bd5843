"""The admin's page that writes to users, groups and holders of a permission; and "Resend"."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

import monitio
from monitio import api, dispatch, preferences, scope
from monitio.models import Delivery, Message
from monitio.testing import capture_events
from tests.support import scopes
from tests.support.people import user

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/admin/monitio/message/send/"


@pytest.fixture(autouse=True)
def _without_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch.hooks, "deliver", None)


@pytest.fixture
def browser(client: Client) -> Client:
    client.force_login(user("root", is_superuser=True, is_staff=True))
    return client


def staff_with(*codenames: str) -> Any:
    who = user("cid", is_staff=True)
    who.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return who


def form(**values: Any) -> dict[str, Any]:
    empty = {"level": 120, "category": "", "subject": "", "message": "At ten.", "url": "",
             "url_label": "", "expires_0": "", "expires_1": ""}  # fmt: skip
    return {**empty, **values}


def send(client: Client, **values: Any) -> Any:
    """Request the preview, then submit "Send"."""
    page = client.post(URL, form(**values, _preview="1"))
    assert page.status_code == 200
    seal = page.context.get("seal")
    assert seal, page.context["form"].errors
    return client.post(URL, form(**values, seal=seal, _send="1"))


def recipients() -> list[str]:
    """The recipients of persistent messages: without the confirmation for the sender."""
    return sorted(Message.objects.persistent().values_list("user__username", flat=True))


def test_the_list_links_to_the_page_for_those_who_may_send(browser: Client) -> None:
    assert reverse("admin:monitio_message_send") == URL
    assert URL.encode() in browser.get("/admin/monitio/message/").content
    browser.force_login(staff_with("view_message"))
    assert URL.encode() not in browser.get("/admin/monitio/message/").content


def test_users_are_chosen_by_search(browser: Client) -> None:
    page = browser.get(URL)
    assert page.status_code == 200
    assert b"admin-autocomplete" in page.content
    found = browser.get(
        "/admin/autocomplete/",
        {"app_label": "monitio", "model_name": "message", "field_name": "user", "term": "roo"},
    )
    assert [entry["text"] for entry in found.json()["results"]] == ["root"]


def test_a_preview_names_the_recipients_and_sends_nothing(browser: Client) -> None:
    ann = user()
    page = browser.post(URL, form(users=[ann.pk], subject="Maintenance", _preview="1"))
    assert b"To 1 user:" in page.content and b"Maintenance" in page.content
    assert not Message.objects.exists()


def test_nothing_is_sent_that_was_not_previewed_exactly(browser: Client) -> None:
    ann, bob = user(), user("bob")
    seal = browser.post(URL, form(users=[ann.pk], _preview="1")).context["seal"]
    page = browser.post(URL, form(users=[ann.pk, bob.pk], seal=seal, _send="1"))
    assert b"To 2 users:" in page.content
    assert b"To 1 user:" in browser.post(URL, form(users=[ann.pk], _send="1")).content
    assert not Message.objects.exists()


def test_a_message_to_users_has_all_that_the_form_gives(browser: Client) -> None:
    ann, bob = user(), user("bob")
    until = timezone.localtime(timezone.now() + timedelta(days=1)).replace(microsecond=0)
    with capture_events() as events:
        response = send(
            browser,
            users=[ann.pk, bob.pk],
            level=130,
            category="news",
            subject="Maintenance",
            url="/status/",
            url_label="Status",
            expires_0=until.date().isoformat(),
            expires_1=until.time().isoformat(),
        )
    assert response.status_code == 302
    assert recipients() == ["ann", "bob"]
    assert len({event.topic for event in events}) >= 2
    sent = Message.objects.persistent()[0]
    values = (sent.level, sent.category, sent.subject, sent.message, sent.url, sent.url_label)
    assert values == (130, "news", "Maintenance", "At ten.", "/status/", "Status")
    assert (sent.expires, sent.from_user) == (until, None)
    entry = LogEntry.objects.get()
    assert (entry.user.username, entry.object_repr) == ("root", "Maintenance")
    assert "Sent to 2 users" in entry.change_message


def test_groups_and_holders_of_a_permission_get_it_once(browser: Client) -> None:
    editors, sales = Group.objects.create(name="editors"), Group.objects.create(name="sales")
    permission = Permission.objects.get(codename="view_job")
    sales.permissions.add(permission)
    user("ann").groups.add(editors, sales)
    user("bob").groups.add(sales)
    user("dan").user_permissions.add(permission)
    user("eve", is_active=False).groups.add(editors)
    user("fay")
    send(browser, groups=[editors.pk])
    assert recipients() == ["ann"]
    Message.objects.all().delete()
    send(browser, groups=[editors.pk], permission=permission.pk, users=[user("fay").pk])
    assert recipients() == ["ann", "bob", "dan", "fay", "root"]


def test_a_second_click_sends_nothing(browser: Client) -> None:
    values = {"users": [user().pk]}
    seal = browser.post(URL, form(**values, _preview="1")).context["seal"]
    for _click in range(2):
        browser.post(URL, form(**values, seal=seal, _send="1"))
    assert recipients() == ["ann"]


def test_it_belongs_to_the_current_tenant(browser: Client, settings: Any) -> None:
    settings.MONITIO_SCOPE = scopes.PATH
    with scope.activate("a"):
        send(browser, users=[user().pk])
    assert set(Message.objects.persistent().values_list("scope", "recipient_key")) == {
        ("a", f"a/user:{user().pk}")
    }


def test_the_recipients_are_users_whom_the_sender_sees(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.contrib import admin
    from django.contrib.auth import get_user_model

    all_users = Group.objects.create(name="all")
    for name in ("ann", "bob"):
        user(name).groups.add(all_users)
    of_users: Any = admin.site.get_model_admin(get_user_model())
    rows = get_user_model().objects.filter(username="ann")
    monkeypatch.setattr(of_users, "get_queryset", lambda request: rows)
    send(browser, groups=[all_users.pk])
    assert recipients() == ["ann"]


def test_it_is_e_mailed_on_request(browser: Client) -> None:
    send(browser, users=[user().pk], email="on")
    assert [message.to for message in mail.outbox] == [["ann@example.com"]]


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({}, "__all__"),
        ({"users": [0]}, "users"),
        ({"message": ""}, "message"),
        ({"url": "javascript:x"}, "url"),
    ],
)
def test_a_bad_value_is_an_error_of_the_form(
    browser: Client, values: dict[str, Any], named: str
) -> None:
    page = browser.post(URL, form(**({"users": [user().pk]} if values else {}) | values, _send="1"))
    assert list(page.context["form"].errors) == [named]
    assert not Message.objects.exists()


def test_an_empty_group_is_an_error(browser: Client) -> None:
    page = browser.post(URL, form(groups=[Group.objects.create(name="empty").pk]))
    assert "no active user" in str(page.context["form"].errors)


def test_it_needs_its_own_permission_and_those_to_view_the_recipients(client: Client) -> None:
    values = {"users": [user().pk]}
    client.force_login(staff_with("view_user", "add_message", "change_message"))
    assert client.get(URL).status_code == client.post(URL, form(**values)).status_code == 403
    client.force_login(staff_with("send_message"))
    assert client.get(URL).status_code == 403
    client.force_login(staff_with("send_message", "view_group"))
    assert list(client.get(URL).context["form"].to) == ["groups"]
    client.force_login(staff_with("send_message", "view_user"))
    assert send(client, **values).status_code == 302


def resend(client: Client, *messages: Message) -> Any:
    data = {"action": "resend", "_selected_action": [message.pk for message in messages]}
    return client.post("/admin/monitio/message/", data, follow=True)


def test_resend_shows_a_message_again_and_sends_it_as_another_one(browser: Client) -> None:
    message = api.create_message(user(), monitio.INFO, "one", email=True)
    api.mark_read(message.recipient, [message.pk])
    with capture_events() as events:
        page = resend(browser, message)
    assert b"1 message was resent." in page.content
    message.refresh_from_db()
    assert (message.read, message.seen) == (False, False)
    assert [(event.data["seen"], event.data["read"]) for event in events if event.data] == [
        (False, False)
    ]
    assert [delivery.state for delivery in Delivery.objects.all()] == ["sent"]
    first, second = (str(sent.extra_headers["Message-ID"]) for sent in mail.outbox)
    assert first != second


def test_resend_applies_the_condition_again(browser: Client) -> None:
    message = api.create_message(user(), monitio.INFO, "one", email="unless_seen")
    Delivery.objects.update(state=Delivery.State.SKIPPED)
    resend(browser, message)
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.unless) == ("pending", "seen")
    assert delivery.due_at > timezone.now() + timedelta(seconds=50)
    assert mail.outbox == []


def test_resend_leaves_out_what_is_pending_expired_or_no_longer_wanted(browser: Client) -> None:
    waiting = api.create_message(user(), monitio.INFO, "one", email="unless_read")
    old = api.create_message(user(), monitio.INFO, "two", email=True)
    unwanted = api.create_message(user("bob"), monitio.INFO, "three", email=True)
    preferences.change(user("bob"), frequency="never")
    Message.objects.filter(pk=old.pk).update(expires=timezone.now() - timedelta(hours=1), seen=True)
    key = Delivery.objects.get(message=waiting).pk
    mail.outbox.clear()
    assert b"2 messages were resent." in resend(browser, waiting, old, unwanted).content
    assert mail.outbox == []
    assert Delivery.objects.get(message=waiting).pk == key
    assert Message.objects.get(pk=old.pk).seen
    assert not Delivery.objects.filter(message=unwanted).exists()


def test_resend_needs_the_permission_to_send(client: Client) -> None:
    message = api.create_message(user(), monitio.INFO, "one")
    Message.objects.update(seen=True)
    client.force_login(staff_with("view_message", "change_message"))
    resend(client, message)
    assert Message.objects.get().seen
