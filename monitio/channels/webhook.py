"""Webhooks, signed as in Standard Webhooks (docs/webhooks.md): one POST per delivery."""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from django.views.decorators.debug import sensitive_variables

from monitio import links, serializers
from monitio.channels import http
from monitio.channels.base import Channel, PermanentFailure, attempt_key
from monitio.models import Delivery, Message
from monitio.utils import outbound
from monitio.utils.optional import import_optional

PREFIX = "whsec_"
# Bytes, as Standard Webhooks asks for.
SHORTEST_SECRET, LONGEST_SECRET = 24, 64
# The new one and the old one, while the receiver changes over.
MOST_SECRETS = 2
GONE = 410


def new_secret() -> str:
    """A random secret, which the receiver needs to verify what it gets."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


class WebhookChannel(Channel):
    """The address of a destination is ``{"url": "https://…", "secrets": ["whsec_…"]}``."""

    def __init__(self) -> None:
        needed_by = "The channel of webhooks"
        library = import_optional("standardwebhooks", extra="webhooks", needed_by=needed_by)
        self._signer = library.Webhook

    @sensitive_variables()
    def identify(self, address: Any) -> Any:
        shape = 'The address of a webhook is {"url": "https://…", "secrets": ["whsec_…"]}.'
        if not isinstance(address, Mapping) or not isinstance(address.get("url"), str):
            raise ValueError(shape)
        outbound.parse(address["url"])
        keys = address.get("secrets")
        if not isinstance(keys, list) or not 1 <= len(keys) <= MOST_SECRETS:
            raise ValueError(f"{shape} It has one secret, or two while they change.")
        if not all(isinstance(key, str) and _is_secret(key) for key in keys):
            raise ValueError("A secret is made by monitio.channels.webhook.new_secret().")
        # Without the secrets: adding the URL again replaces them, and deliveries keep their target.
        return {"url": address["url"]}

    def server(self, address: Any) -> str:
        return str(urlsplit(address["url"]).netloc)

    @sensitive_variables()
    def send(self, delivery: Delivery) -> None:
        destination = delivery.destination
        if destination is None:
            raise PermanentFailure("A webhook needs a destination.")
        timeout, address = self.seconds_left(), destination.address
        body = json.dumps(self.payload(delivery.message))
        identity, now = attempt_key(delivery), datetime.now(UTC)
        signatures = [self._signer(key).sign(identity, now, body) for key in address["secrets"]]
        headers = {
            "Content-Type": "application/json",
            "webhook-id": identity,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signatures),
        }
        http.post(
            address["url"],
            body.encode(),
            headers,
            timeout=timeout,
            receiver="The receiver",
            gone=(GONE,),
        )

    def payload(self, message: Message) -> dict[str, Any]:
        """The JSON that is sent: ``type``, ``timestamp`` and ``data``, as in docs/webhooks.md."""
        sent, job = serializers.payload(message), message.job
        names = ("id", "level", "title", "body", "url_label", "created", "from")
        data = {name: sent[name] for name in names}
        data |= {"url": links.absolute(message.url) or None, "category": message.category}
        data["job"] = job and {
            "task": job.task_id,
            "state": job.state,
            "done": job.completed,
            "total": job.total,
        }
        happened = job.finished_at if job and job.finished_at else message.created
        kind = f"job.{job.state}" if job else "message.created"
        return {"type": kind, "timestamp": happened.isoformat(), "data": data}


def _is_secret(text: str) -> bool:
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return False
    return text.startswith(PREFIX) and SHORTEST_SECRET <= len(key) <= LONGEST_SECRET
