"""Retention, export and erasure of personal data."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.messages import INFO
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.utils import timezone

import monitio
from monitio import api, dispatch, preferences
from monitio.conf import Settings
from monitio.digests.selection import undigested
from monitio.models import Delivery, Destination, Job, JobFile, Message, Preferences
from monitio.models.files import file_storage
from monitio.recipients import Recipient
from monitio.testing import capture_events
from tests.support.jobs import report, reporter

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "deliver", lambda pending: None)


def aged(days: float, **fields: Any) -> None:
    Message.objects.filter(**fields).update(modified=timezone.now() - timedelta(days=days))


class TestRetention:
    @pytest.mark.parametrize(
        ("rule", "kept"),
        [
            ({"days": 90}, []),
            ({"days": 200}, ["old", "bad", "read"]),
            ({"days": 90, "levels": ["error"]}, ["old", "read"]),
            ({"days": 90, "categories": ["exports"]}, ["bad", "read"]),
            ({"days": 90, "read": True}, ["old", "bad"]),
            ({"days": 90, "levels": ["info"], "read": True}, ["old", "bad"]),
        ],
    )
    def test_a_rule_names_age_level_category_and_state(
        self, rule: dict[str, Any], kept: list[str], ann: Any, settings: Any
    ) -> None:
        monitio.create_message(ann, monitio.INFO, "old", category="exports")
        monitio.create_message(ann, monitio.ERROR, "bad")
        read = monitio.create_message(ann, monitio.INFO, "read")
        api.mark_read(ann, [read.pk])
        aged(100)
        monitio.create_message(ann, monitio.ERROR, "new", category="exports")
        settings.MONITIO_RETENTION = [rule]
        assert api.prune()["retention"] == 3 - len(kept)
        assert {row.message for row in Message.objects.all()} == {*kept, "new"}

    def test_pending_and_running_rows_are_kept(self, ann: Any, settings: Any) -> None:
        settings.MONITIO_RETENTION = [{"days": 1}]
        monitio.create_message(ann, monitio.INFO, "x", email=True)
        report(reporter(ann), "started")
        aged(100)
        assert api.prune()["retention"] == 0

    def test_settled_deliveries_are_kept_90_days(self, ann: Any) -> None:
        for _ in range(3):
            monitio.create_message(ann, monitio.INFO, "x", email=True)
        Message.objects.update(read=True)
        old, recent, pending = Delivery.objects.order_by("pk")
        long_ago = timezone.now() - timedelta(days=91)
        Delivery.objects.filter(pk__in=[old.pk, pending.pk]).update(created=long_ago)
        Delivery.objects.filter(pk__in=[old.pk, recent.pk]).update(state="sent")
        assert api.prune()["deliveries"] == 1
        assert set(Delivery.objects.all()) == {recent, pending}
        assert Message.objects.count() == 3

    def test_unread_messages_that_were_emailed_are_in_no_digest(self, ann: Any) -> None:
        preferences.change(ann.pk, frequency="daily")
        monitio.create_message(ann, monitio.INFO, "x")
        row = Preferences.objects.get()
        assert undigested([row]).exists()
        Delivery.objects.create(
            message=Message.objects.get(), channel="email", state="sent",
            created=timezone.now() - timedelta(days=91),
        )  # fmt: skip
        api.prune()
        assert not undigested([row]).exists()

    @pytest.mark.parametrize("key", ["levels", "categories"])
    def test_an_empty_list_deletes_nothing(self, key: str, ann: Any, settings: Any) -> None:
        settings.MONITIO_RETENTION = [{"days": 1, key: []}]
        monitio.create_message(ann, monitio.INFO, "x")
        aged(100)
        assert api.prune()["retention"] == 0

    def test_messages_for_the_next_page_are_kept_until_shown(self, ann: Any, settings: Any) -> None:
        settings.MONITIO_RETENTION = [{"days": 1}, {"days": 1, "levels": ["info"]}]
        monitio.create_message(ann, INFO, "x")
        aged(100)
        assert api.prune()["retention"] == 0

    @pytest.mark.parametrize(
        "rules",
        [
            {"days": 1},
            [{}],
            [{"days": -1}],
            [{"days": True}],
            [{"days": 1, "levels": ["loud"]}],
            [{"days": 1, "categories": "exports"}],
            [{"days": 1, "read": 1}],
            [{"days": 1, "unread": True}],
        ],
    )
    def test_an_invalid_rule_is_refused(self, rules: Any, settings: Any) -> None:
        settings.MONITIO_RETENTION = rules
        assert len(list(Settings().mistakes())) == 1


@pytest.fixture
def all_rows(ann: Any, bob: Any, settings: Any, tmp_path: Any) -> None:
    """Ann has a row in every table, and shares a job with bob."""
    backend = "django.core.files.storage.FileSystemStorage"
    stored = {"BACKEND": backend, "OPTIONS": {"location": str(tmp_path)}}
    settings.STORAGES = {**settings.STORAGES, "monitio": stored}
    settings.MONITIO_CHANNELS = {
        "email": "monitio.channels.email.channel.EmailChannel",
        "webhook": "monitio.channels.webhook.WebhookChannel",
    }
    monitio.create_message(ann, monitio.INFO, "for Ann", from_user=bob, email=True)
    monitio.create_message(bob, monitio.INFO, "for Bob", from_user=ann)
    report(reporter(ann, task="own"), "succeeded")
    report(reporter(ann, bob, task="shared"), "succeeded")
    file_storage().save("report.csv", ContentFile(b"secret"))
    JobFile.objects.create(
        job=Job.objects.get(task_id="own"), name="report.csv", file="report.csv", size=6,
        content_type="text/csv", expires=timezone.now() + timedelta(days=1),
    )  # fmt: skip
    preferences.change(ann.pk, frequency="daily", categories={"exports": "off"})
    url = {"url": "https://hooks.example/s3cret", "secrets": ["whsec_s3cret"]}
    Destination.objects.create(user=ann, channel="webhook", address=url, key="k1")
    mail = {"email": "ann@example.com"}
    Destination.objects.create(user=ann, channel="email", address=mail, key="k2")
    Destination.objects.create(user=ann, channel="withdrawn", address="s3cret", key="k3")
    api.block_sender(ann, bob)


def exported(name: str) -> Any:
    out = StringIO()
    call_command("monitio_export", name, stdout=out)
    return json.loads(out.getvalue())


def test_the_export_has_all_data_of_the_user(all_rows: None, ann: Any) -> None:
    data = exported("ann")
    assert [row["message"] for row in data["messages"][:1]] == ["for Ann"]
    assert [row["channel"] for row in data["messages"][0]["deliveries"]] == ["email"]
    assert [row["message"] for row in data["sent"]] == ["for Bob"]
    assert [(job["task_id"], job["files"]) for job in data["jobs"]] == [
        ("own", ["report.csv"]),
        ("shared", []),
    ]
    servers = [(row["channel"], row["server"]) for row in data["destinations"]]
    assert servers == [
        ("webhook", "hooks.example"),
        ("email", "ann@example.com"),
        ("withdrawn", ""),
    ]
    assert "s3cret" not in json.dumps(data)
    assert data["preferences"][0]["frequency"] == "daily"
    assert data["categories"][0]["category"] == "exports"
    assert len(data["blocked_senders"]) == 1


def test_the_export_has_no_data_of_others(ann: Any) -> None:
    visitor = Recipient.for_visitor("visitors-token")
    monitio.create_message(visitor, monitio.INFO, "for a visitor", from_user=ann)
    monitio.create_message(ann, monitio.INFO, "for Ann")
    report(reporter(ann, task="bad"), "failed bob@example.com")
    text = json.dumps(exported("ann"))
    assert "for a visitor" in text and "visitors-token" not in text
    assert '"read"' not in json.dumps(exported("ann")["sent"])
    assert Job.objects.get().error and "bob@example.com" not in json.dumps(exported("ann")["jobs"])


def test_erasing_deletes_it_and_keeps_data_of_others(all_rows: None, ann: Any, bob: Any) -> None:
    with capture_events() as events:
        call_command("monitio_erase", "ann", "--yes", stdout=StringIO())
    assert events[-1].topic == f"user:{ann.pk}"
    assert not any(exported("ann").values())
    assert Job.objects.get().task_id == "shared"
    assert [entry["user"] for entry in Job.objects.get().recipients] == [str(bob.pk)]
    assert not file_storage().exists("report.csv")
    assert not Preferences.objects.exists()
    kept = Message.objects.filter(user=bob).order_by("pk")
    assert [row.from_user for row in kept] == [None, None]
    assert kept[0].message == "for Bob"


def test_nothing_is_deleted_by_mistake(all_rows: None) -> None:
    with pytest.raises(CommandError, match="cannot be undone"):
        call_command("monitio_erase", "ann")
    assert exported("ann")["messages"]
