"""E-mails through django-anymail to an HTTP service."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import django
import pytest

import monitio
from monitio import api, dispatch
from monitio.models import Delivery
from tests.support.people import user

pytestmark = pytest.mark.django_db(transaction=True)
BACKEND = "anymail.backends.postmark.EmailBackend"
TAKEN = {"ErrorCode": 0, "Message": "OK", "MessageID": "1", "To": "ann@example.com"}
REFUSED = {
    "ErrorCode": 406,
    "Message": "Found inactive addresses: ann@example.com. Inactive recipients are ones that …",
}


class Service:
    """Responds with ``status`` and ``reply``; with ``None`` only at the end of the test."""

    def __init__(self) -> None:
        self.status: int | None = 200
        self.reply: Any = TAKEN
        self.taken: list[dict[str, Any]] = []
        self.over = threading.Event()
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                service.taken.append(
                    json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                )
                if service.status is None:
                    service.over.wait(30)
                    return
                body = json.dumps(service.reply).encode()
                self.send_response(service.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.over.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def service(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    service = Service()
    monkeypatch.setattr(dispatch.hooks, "deliver", None)
    monkeypatch.setattr(dispatch, "_next_try_here", 0.0)
    settings.ANYMAIL = {"POSTMARK_SERVER_TOKEN": "secret", "POSTMARK_API_URL": service.url}
    if django.VERSION >= (6, 1):
        settings.MAILERS = {"default": {"BACKEND": BACKEND}}
    else:
        settings.EMAIL_BACKEND = BACKEND
    yield service
    service.close()


def send() -> Delivery:
    api.create_message(user(), monitio.INFO, "The text.", subject="Report", email=True)
    return Delivery.objects.get()


def test_every_part_of_the_email_is_sent(service: Service) -> None:
    delivery = send()
    assert (delivery.state, delivery.error) == ("sent", "")
    (mail,) = service.taken
    assert (mail["Subject"], mail["To"]) == ("Report", "ann@example.com")
    assert mail["TextBody"].startswith("The text.")
    assert "<!DOCTYPE html>" in mail["HtmlBody"]
    headers = {header["Name"]: header["Value"] for header in mail["Headers"]}
    assert headers["Auto-Submitted"] == "auto-generated"
    assert headers["Message-ID"].startswith(f"<monitio.delivery-{delivery.pk}-")
    assert headers["List-Unsubscribe"].startswith("<https://example.com/messages/unsubscribe/")


@pytest.mark.parametrize(
    ("status", "reply", "state"),
    [
        (503, {}, "pending"),
        (429, {}, "pending"),
        (401, {"ErrorCode": 10, "Message": "Bad token"}, "pending"),
        (422, {"ErrorCode": 300, "Message": "Invalid e-mail request"}, "failed"),
        (422, REFUSED, "failed"),
    ],
)
def test_the_response_decides_the_state(
    service: Service, status: int, reply: Any, state: str
) -> None:
    service.status, service.reply = status, reply
    delivery = send()
    assert delivery.state == state and delivery.error


def test_a_service_that_hangs_blocks_no_longer_than_the_timeout(
    service: Service, settings: Any
) -> None:
    settings.MONITIO_EMAIL_TIMEOUT = 1
    service.status = None
    began = time.monotonic()
    assert send().state == "pending"
    assert time.monotonic() - began < 10
