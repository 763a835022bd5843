"""Web Push to browsers (docs/push.md): one encrypted POST to the push service of the browser."""

from __future__ import annotations

import json
import logging
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.http import is_same_domain
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from monitio import links, preferences
from monitio.channels import http
from monitio.channels.base import Channel, PermanentFailure, TemporaryFailure, attempt_key
from monitio.channels.email.addresses import language_of
from monitio.channels.templates import render_for
from monitio.conf import DAY, settings
from monitio.constants import PUSH
from monitio.models import Delivery, Message, reading
from monitio.utils import outbound
from monitio.utils.optional import import_optional
from monitio.utils.shorten import shorten

logger = logging.getLogger("monitio")

# Marks a Declarative Web Push message, which some browsers show without the worker.
DECLARATIVE = 8030
# RFC 8030 5.3: what a device on battery or on an expensive line gets at once.
URGENCY = {
    "debug": "very-low",
    "info": "low",
    "success": "normal",
    "warning": "normal",
    "error": "high",
}
# Seconds. No push service keeps a message longer.
LONGEST_TTL = 28 * DAY
# Seconds. A day is allowed, but clocks differ.
TOKEN_AGE = DAY // 2
# Bytes of the JSON: what every push service takes when it is encrypted (RFC 8291 4).
LARGEST = 3993
# Characters; no system shows more.
LONGEST_BODY = 500
REFUSED_KEYS = (401, 403)
TOO_LARGE = 413


def new_private_key() -> str:
    """A random value of MONITIO_VAPID_PRIVATE_KEY: 32 bytes in base64url."""
    # Below 2**255, and so below the order of the curve.
    number = secrets.randbits(255) or 1
    return urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode()


class WebPushChannel(Channel):
    """The address of a destination is a browser's subscription:
    ``{"endpoint": "https://…", "keys": {"p256dh": "…", "auth": "…"}}``.
    """

    title = _("Push notifications")
    is_exclusive = True
    removes_gone = True

    def __init__(self) -> None:
        needed_by = "The channel of Web Push"
        self._library = import_optional("pywebpush", extra="push", needed_by=needed_by)

    @property
    def public_key(self) -> str:
        """What browsers subscribe with (``applicationServerKey``).

        Raises ``ImproperlyConfigured`` without a valid MONITIO_VAPID_PRIVATE_KEY.
        """
        point = self._keys().public_key.public_numbers()
        raw = b"\x04" + point.x.to_bytes(32, "big") + point.y.to_bytes(32, "big")
        return urlsafe_b64encode(raw).rstrip(b"=").decode()

    @sensitive_variables()
    def identify(self, address: Any) -> Any:
        keys = address.get("keys") if isinstance(address, Mapping) else None
        if not isinstance(keys, Mapping) or not isinstance(address.get("endpoint"), str):
            raise ValueError("The address is a browser's subscription: its endpoint and keys.")
        _check_service(address["endpoint"])
        try:
            self._encrypt(address, {})
        except Exception:
            raise ValueError("The keys of the subscription are not valid.") from None
        # Without the keys: a browser that subscribes again stays the same destination.
        return {"endpoint": address["endpoint"]}

    def server(self, address: Any) -> str:
        return str(urlsplit(address["endpoint"]).netloc)

    @sensitive_variables()
    def send(self, delivery: Delivery) -> None:
        destination = delivery.destination
        if destination is None:
            raise PermanentFailure("A push notification needs a destination.")
        payload = self.payload(delivery.message)
        if len(_as_json(payload)) > LARGEST:
            payload = _without_body(payload)
        status = self._post(destination.address, delivery.message, payload)
        if status == TOO_LARGE:
            status = self._post(destination.address, delivery.message, _without_body(payload))
        if status == TOO_LARGE:
            raise PermanentFailure("The push service finds the notification too large.")
        if status in REFUSED_KEYS:
            logger.error(
                "The push service responded with status %d: it refuses the site's keys. Correct "
                "MONITIO_VAPID_PRIVATE_KEY and MONITIO_VAPID_CONTACT (docs/push.md).",
                status,
            )
            # No fault of the device. What is pending is sent when the keys are right.
            raise TemporaryFailure(f"The push service refuses the site's keys (status {status}).")

    def _post(self, address: Any, message: Message, payload: Any) -> int:
        timeout = self.seconds_left()
        try:
            target = _check_service(address["endpoint"])
            port = "" if target.port == outbound.PORTS[target.scheme] else f":{target.port}"
            authorization = self._authorization(f"{target.scheme}://{target.host}{port}")
        except outbound.Refused as refused:
            raise PermanentFailure(str(refused)) from None
        except ImproperlyConfigured as error:
            raise TemporaryFailure(str(error)) from None
        seconds = LONGEST_TTL
        if message.expires is not None:
            seconds = min(seconds, int((message.expires - timezone.now()).total_seconds()))
        headers = {
            **authorization,
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(max(0, seconds)),
            "Topic": _topic(message),
            "Urgency": URGENCY[message.level_name],
        }
        return http.post(
            address["endpoint"],
            self._encrypt(address, payload),
            headers,
            timeout=timeout,
            receiver="The push service",
            gone=(404, 410),
            returned=(*REFUSED_KEYS, TOO_LARGE),
        )

    def payload(self, message: Message) -> dict[str, Any]:
        """The JSON that is sent: a Declarative Web Push message, which the worker reads, too."""
        context, shown = {"message": message}, {}
        # Unknown for a text that is not lazy.
        language = message.language or language_of(preferences.for_user(message.user_id), "")
        with links.for_recipient(language):
            own_page = reverse("message_detail", args=[message.pk])
            for name in ("message.title.txt", "message.txt"):
                shown[name] = render_for(message.category, f"monitio/push/{name}", context).strip()
        page = message.url or own_page
        return {
            "web_push": DECLARATIVE,
            "notification": {
                "title": shorten(shown["message.title.txt"]),
                "body": shorten(shown["message.txt"], LONGEST_BODY),
                "lang": message.language,
                # The worker resolves a relative one.
                "navigate": links.absolute(page) or urljoin(links.mount_point(), page),
                # A later state of the message replaces the earlier one, and makes a sound again.
                "tag": _topic(message),
                "renotify": True,
            },
            "app_badge": reading.count_unread(message.recipient),
        }

    def check(self) -> list[checks.CheckMessage]:
        found: list[checks.CheckMessage] = []
        hint = "manage.py monitio_vapid makes a key; docs/push.md has both settings."
        try:
            self._authorization("https://push.example")
        except ImproperlyConfigured as error:
            found.append(checks.Error(str(error), hint=hint, id="monitio.E080"))
        if self.name != PUSH:
            found.append(
                checks.Error(
                    f"The channel of Web Push is named {self.name!r} in MONITIO_CHANNELS.",
                    hint=f'Name it "{PUSH}": the button and the log-out look for it by this name.',
                    id="monitio.E081",
                )
            )
        return found

    def _keys(self) -> Any:
        try:
            return self._library.Vapid.from_string(settings.VAPID_PRIVATE_KEY)
        except Exception:
            # Without the cause, which may show the key.
            raise ImproperlyConfigured(
                "MONITIO_VAPID_PRIVATE_KEY is not set, or is not a private key."
            ) from None

    def _authorization(self, audience: str) -> dict[str, str]:
        """RFC 8292. Raises ``ImproperlyConfigured``."""
        keys, contact = self._keys(), settings.VAPID_CONTACT
        claims = {"aud": audience, "sub": contact, "exp": int(time.time()) + TOKEN_AGE}
        try:
            return dict(keys.sign(claims))
        except Exception:
            raise ImproperlyConfigured(
                f'MONITIO_VAPID_CONTACT = {contact!r} is neither "mailto:…" nor "https://…": push '
                "services write there when something is wrong."
            ) from None

    def _encrypt(self, address: Any, payload: Any) -> bytes:
        sender = self._library.WebPusher({"endpoint": "", "keys": dict(address["keys"])})
        return bytes(sender.encode(_as_json(payload))["body"])


def _check_service(endpoint: str) -> outbound.Target:
    """Raises ``outbound.Refused`` for what is not a push service of MONITIO_PUSH_SERVICES."""
    target = outbound.parse(endpoint)
    if not any(is_same_domain(target.host, host) for host in settings.PUSH_SERVICES):
        raise outbound.Refused("The endpoint is not at a push service of MONITIO_PUSH_SERVICES.")
    return target


def _topic(message: Message) -> str:
    """The same for all states of a message; 32 characters that reveal nothing of it."""
    return salted_hmac("monitio.push", attempt_key(message), algorithm="sha256").hexdigest()[:32]


def _as_json(payload: Any) -> bytes:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def _without_body(payload: dict[str, Any]) -> dict[str, Any]:
    return {**payload, "notification": {**payload["notification"], "body": ""}}
