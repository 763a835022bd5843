"""Web Push, with a push service that decrypts and verifies messages."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from monitio.channels import destinations
from monitio.channels.webpush import new_private_key
from monitio.models import Destination
from monitio.utils import outbound
from tests.integration.channels.base import (
    DestinationConformance,
    HttpReceiver,
    ProcessConformance,
    Receiver,
)
from tests.integration.channels.base import all_peers as all_peers
from tests.support.servers.push import PushService


class Browsers(HttpReceiver):
    name = "push"
    # Not 403, which means that the site's keys are wrong.
    REPLIES = {**HttpReceiver.REPLIES, "never": (400, {})}
    server: PushService

    def __init__(self, server: PushService) -> None:
        super().__init__(server)
        self.address = server.subscription("ann")
        self.settings = {
            "MONITIO_CHANNELS": {"push": "monitio.channels.webpush.WebPushChannel"},
            "MONITIO_VAPID_PRIVATE_KEY": new_private_key(),
            "MONITIO_VAPID_CONTACT": "mailto:admin@example.com",
            "MONITIO_PUSH_SERVICES": ["127.0.0.1"],
            "MONITIO_OUTGOING_ORIGINS": [server.url.rstrip("/")],
        }

    def texts(self) -> list[str]:
        notifications = [body["notification"] for body in list(self.server.bodies)]
        return [shown["title"] + shown["body"] for shown in notifications]

    def times_sent(self) -> Counter[int]:
        return Counter(Counter(headers["Topic"] for headers in self.server.headers).values())


@pytest.fixture(scope="module")
def server_for_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    server = PushService(tmp_path_factory.mktemp("push"))
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        # Child processes inherit it.
        patch.setitem(os.environ, "SSL_CERT_FILE", str(server.trusted))
        outbound.tls_context.cache_clear()
        yield Browsers(server)
    outbound.tls_context.cache_clear()
    server.close()


class TestWebPush(DestinationConformance):
    @pytest.mark.parametrize("status", [404, 410])
    def test_a_device_that_is_gone_is_deleted_and_the_next_one_gets_the_message(
        self, receiver: Browsers, ann: Any, status: int
    ) -> None:
        other = destinations.add(ann, "push", receiver.server.subscription("other"))
        self.notify(receiver, ann)
        receiver.server.script = [(status, {})]
        assert self.deliver() == ["failed", "sent"]
        assert [row.pk for row in Destination.objects.all()] == [other.pk]

    def test_what_is_too_large_is_sent_again_without_its_body(
        self, receiver: Browsers, ann: Any
    ) -> None:
        self.notify(receiver, ann, subject="Title")
        receiver.server.script = [(413, {})]
        assert self.deliver() == ["sent"]
        assert receiver.texts() == ["Title"]

    def test_a_redirect_is_refused(self, receiver: Browsers, ann: Any) -> None:
        self.notify(receiver, ann)
        receiver.server.script = [(307, {"Location": receiver.server.url})]
        assert self.deliver() == ["failed"]
        assert receiver.texts() == []

    def test_a_message_signed_by_other_keys_is_retried_with_the_right_ones(
        self, receiver: Browsers, ann: Any
    ) -> None:
        self.notify(receiver, ann)
        receiver.server.public_key = "another"
        assert self.deliver() == ["pending"]
        receiver.server.public_key = ""
        assert self.deliver_again() == ["sent"]


class TestProcesses(ProcessConformance):
    pass
