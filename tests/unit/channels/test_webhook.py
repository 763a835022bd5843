"""The webhook channel: signatures, payloads, responses and addresses."""

from __future__ import annotations

import base64
import json
import sys
from http.client import BadStatusLine
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from standardwebhooks import Webhook, WebhookVerificationError

import monitio
from monitio import api, dispatch
from monitio.channels import (
    PermanentFailure,
    TemporaryFailure,
    deliveries,
    destinations,
    get_channel,
)
from monitio.channels.webhook import new_secret
from monitio.models import Delivery, Destination, Job
from monitio.utils import outbound
from monitio.utils.outbound import Refused, Response
from tests.support.wire import Wire, error_reports

pytestmark = pytest.mark.django_db

URL = "https://hooks.example/team?token=t0ken"
SECRET = new_secret()


class Backwards:
    """A readable stand-in for encryption."""

    def encrypt(self, text: str) -> str:
        return text[::-1]

    decrypt = encrypt


@pytest.fixture(autouse=True)
def wire(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Wire:
    settings.MONITIO_CHANNELS = {"webhook": "monitio.channels.webhook.WebhookChannel"}
    settings.MONITIO_BASE_URL = "https://example.com"
    monkeypatch.setattr(dispatch.hooks, "deliver", lambda pk, due_at: None)
    wire = Wire()
    monkeypatch.setattr(outbound, "post", wire)
    return wire


def add(who: Any, *secrets: str, url: str = URL) -> Destination:
    return destinations.add(who, "webhook", {"url": url, "secrets": [*secrets] or [SECRET]})


def notify(who: Any, **more: Any) -> Delivery:
    api.create_message(who, monitio.WARNING, "text", via={"webhook": True}, **more)
    return Delivery.objects.get()


def send(delivery: Delivery) -> None:
    get_channel("webhook").send(delivery)


class TestSigning:
    def test_the_receiver_verifies_it_by_the_secret(self, ann: Any, wire: Wire) -> None:
        add(ann)
        send(notify(ann))
        ((url, body, headers),) = wire.sent
        assert (url, headers["Content-Type"]) == (URL, "application/json")
        assert Webhook(SECRET).verify(body, headers)["data"]["body"] == "text"
        with pytest.raises(WebhookVerificationError):
            Webhook(new_secret()).verify(body, headers)

    def test_while_secrets_change_either_one_verifies(self, ann: Any, wire: Wire) -> None:
        new = new_secret()
        add(ann, new, SECRET)
        send(notify(ann))
        ((_url, body, headers),) = wire.sent
        assert Webhook(new).verify(body, headers) and Webhook(SECRET).verify(body, headers)

    def test_adding_the_url_again_replaces_the_secrets(self, ann: Any, wire: Wire) -> None:
        first = add(ann)
        pending = notify(ann)
        new = new_secret()
        assert add(ann, new, SECRET).pk == first.pk
        send(pending)
        ((_url, body, headers),) = wire.sent
        assert Webhook(new).verify(body, headers)

    def test_every_attempt_has_the_id_of_the_delivery(self, ann: Any, wire: Wire) -> None:
        add(ann), add(ann, url="https://other.example/")
        api.create_message(ann, monitio.INFO, "text", via={"webhook": True})
        first, second = Delivery.objects.order_by("pk")
        send(first), send(first), send(second)
        ids = [headers["webhook-id"] for _url, _body, headers in wire.sent]
        assert ids[0] == ids[1] != ids[2]
        # The signed content is id.timestamp.payload.
        assert "." not in ids[0]

    def test_tenants_with_the_same_keys_have_ids_of_their_own(
        self, ann: Any, wire: Wire, settings: Any
    ) -> None:
        add(ann)
        delivery = notify(ann)
        send(delivery)
        delivery.scope = "a"
        send(delivery)
        ids = [headers["webhook-id"] for _url, _body, headers in wire.sent]
        assert ids[0] != ids[1]


class TestPayload:
    def test_of_a_message(self, ann: Any, wire: Wire) -> None:
        add(ann)
        more = {"subject": "Title", "url": "/x", "url_label": "Open", "category": "alarms"}
        delivery = notify(ann, **more)
        send(delivery)
        message = delivery.message
        created = message.created.isoformat()
        assert json.loads(wire.sent[0][1]) == {
            "type": "message.created",
            "timestamp": created,
            "data": {
                "id": message.pk,
                "level": "warning",
                "title": "Title",
                "body": "text",
                "url": "https://example.com/x",
                "url_label": "Open",
                "category": "alarms",
                "created": created,
                "from": None,
                "job": None,
            },
        }

    def test_of_a_job(self, ann: Any, wire: Wire) -> None:
        add(ann)
        delivery = notify(ann)
        job = Job.objects.create(task_id="t1", state="succeeded", completed=3, total=3)
        delivery.message.job = job
        send(delivery)
        sent = json.loads(wire.sent[0][1])
        assert sent["type"] == "job.succeeded"
        assert sent["data"]["job"] == {"task": "t1", "state": "succeeded", "done": 3, "total": 3}


@pytest.mark.parametrize("status", [200, 202, 204])
def test_2xx_is_sent(ann: Any, wire: Wire, status: int) -> None:
    add(ann)
    notify(ann)
    wire.responses = [Response(status, None)]
    assert deliveries.run_due() == (1, 0)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
def test_a_temporary_error_is_retried_at_the_requested_time(
    ann: Any, wire: Wire, status: int
) -> None:
    add(ann)
    wire.responses = [Response(status, "120")]
    with pytest.raises(TemporaryFailure, match=str(status)) as failure:
        send(notify(ann))
    assert failure.value.retry_after == "120"


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (Response(301, None), "Redirects are not followed"),
        (Response(307, "60"), "Redirects are not followed"),
        (Response(400, None), "status 400"),
        (Response(401, None), "status 401"),
        (Response(404, None), "status 404"),
        (Refused("The address of the host is not public."), "not public"),
    ],
)
def test_a_permanent_error_fails(
    ann: Any, wire: Wire, response: Response | Exception, reason: str
) -> None:
    add(ann)
    wire.responses = [response]
    with pytest.raises(PermanentFailure, match=reason) as failure:
        send(notify(ann))
    assert not failure.value.is_gone


@pytest.mark.parametrize("error", [BadStatusLine("SSH-2.0 inside"), ConnectionResetError("reset")])
def test_a_receiver_that_is_down_is_tried_again(ann: Any, wire: Wire, error: Exception) -> None:
    add(ann)
    wire.responses = [error]
    with pytest.raises(TemporaryFailure, match="receiver") as failure:
        send(notify(ann))
    # Data of other servers is not shown to users.
    assert "inside" not in str(failure.value)


def test_410_disables_the_destination(ann: Any, wire: Wire) -> None:
    row = add(ann)
    notify(ann)
    wire.responses = [Response(410, None)]
    deliveries.run_due()
    row.refresh_from_db()
    assert row.disabled_at is not None and "410" in row.reason


class TestAddress:
    @pytest.mark.parametrize(
        ("address", "reason"),
        [
            ("https://hooks.example/", "The address of a webhook is"),
            ({"secrets": [SECRET]}, "The address of a webhook is"),
            ({"url": URL}, "one secret, or two"),
            ({"url": URL, "secrets": []}, "one secret, or two"),
            ({"url": URL, "secrets": [SECRET] * 3}, "one secret, or two"),
            ({"url": URL, "secrets": ["hunter2"]}, "new_secret"),
            ({"url": URL, "secrets": ["whsec_" + base64.b64encode(b"x" * 23).decode()]}, "new_"),
            ({"url": URL, "secrets": ["whsec_\u00e4"]}, "new_secret"),
            ({"url": "http://hooks.example/", "secrets": [SECRET]}, "https"),
            ({"url": "https://10.0.0.1/", "secrets": [SECRET]}, "private"),
        ],
    )
    def test_an_unusable_address_is_not_saved(self, ann: Any, address: Any, reason: str) -> None:
        with pytest.raises(ValueError, match=reason) as error:
            destinations.add(ann, "webhook", address)
        assert not Destination.objects.exists()
        assert "hunter2" not in str(error.value)

    def test_it_is_encrypted_at_rest(self, ann: Any, wire: Wire, settings: Any) -> None:
        settings.MONITIO_ENCRYPTION = f"{__name__}.Backwards"
        row = add(ann)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT address FROM {Destination._meta.db_table}")
            stored = str(cursor.fetchone())
        assert "encrypted:" in stored and SECRET not in stored and "hooks.example" not in stored
        row.refresh_from_db()
        assert row.address == {"url": URL, "secrets": [SECRET]}
        send(notify(ann))
        assert Webhook(SECRET).verify(wire.sent[0][1], wire.sent[0][2])

    def test_an_address_stored_before_the_setting_is_read_and_then_encrypted(
        self, ann: Any, settings: Any
    ) -> None:
        row = add(ann)
        settings.MONITIO_ENCRYPTION = f"{__name__}.Backwards"
        row.refresh_from_db()
        assert row.address["url"] == URL
        assert add(ann).pk == row.pk

    def test_the_admin_does_not_show_it(self, ann: Any, admin_client: Client) -> None:
        row = add(ann)
        for path in ("", f"{row.pk}/change/"):
            page = admin_client.get(f"/admin/monitio/destination/{path}").content.decode()
            assert SECRET not in page and "t0ken" not in page and "hooks.example" not in page

    def test_logs_and_error_reports_do_not_show_it(
        self, ann: Any, wire: Wire, caplog: pytest.LogCaptureFixture
    ) -> None:
        add(ann)
        delivery = notify(ann)
        wire.responses = [RuntimeError("defect")]
        with error_reports() as reports:
            deliveries.send(delivery.pk)
        (report,) = reports
        assert "defect" in report and "defect" in caplog.text
        for secret in (SECRET, "t0ken"):
            assert secret not in report and secret not in caplog.text


class TestChecks:
    def test_a_missing_package_is_named(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        from monitio import channels

        monkeypatch.setitem(sys.modules, "standardwebhooks", None)
        channels._load.cache_clear()
        with pytest.raises(Exception, match=r'pip install "monitio\[webhooks\]"'):
            call_command("check")

    @pytest.mark.parametrize(
        "value", ["https://a.example", ["a.example"], ["https://a.example/x"], [1]]
    )
    def test_invalid_origins_are_reported(self, settings: Any, value: Any) -> None:
        settings.MONITIO_OUTGOING_ORIGINS = value
        with pytest.raises(Exception, match="MONITIO_OUTGOING_ORIGINS"):
            call_command("check")
