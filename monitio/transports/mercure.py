"""A Mercure hub, by version 8 of its protocol (https://mercure.rocks/spec).

The stream's view redirects the page to the hub with a token that lets it read one channel, for one
epoch of ``MONITIO_STREAM_RECHECK`` seconds. The hub ends the stream with its token.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from urllib.parse import urlencode

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase

from monitio.conf import settings
from monitio.transports.events import RECHECK, dump
from monitio.transports.hub import Hub, channel_for
from monitio.utils.optional import import_optional

# Seconds for which a publisher's token is valid: each request has its own.
PUBLISHING = 60
# RFC 7518, 3.2: a key no shorter than its hash.
SHORTEST_KEY = {"HS256": 32, "HS384": 48, "HS512": 64}


class MercureHub(Hub):
    required = ("PUBLISH_URL", "PUBLISHER_KEY")
    defaults = {
        "SUBSCRIBE_URL": "/.well-known/mercure",
        # None: PUBLISHER_KEY.
        "SUBSCRIBER_KEY": None,
        "ALGORITHM": "HS256",
    }
    # A hub accepts 1,000; a request with 100 has 5 kB.
    addresses_at_once = 100

    def __init__(self) -> None:
        super().__init__()
        self._jwt = import_optional(
            "jwt", extra="mercure", needed_by='MONITIO_STREAM with "mercure"'
        )
        self._keys = {
            "publish": self.options["PUBLISHER_KEY"],
            "subscribe": self.options["SUBSCRIBER_KEY"] or self.options["PUBLISHER_KEY"],
        }
        shortest = SHORTEST_KEY.get(self.options["ALGORITHM"], 0)
        if any(len(key) < shortest for key in self._keys.values()):
            raise ImproperlyConfigured(
                f"MONITIO_STREAM: a key for {self.options['ALGORITHM']} has {shortest} characters "
                "or more."
            )

    def respond(self, request: HttpRequest, topic: str) -> HttpResponseBase:
        urn = _urn(channel_for(topic))
        token = self._token("subscribe", urn, settings.STREAM_RECHECK)
        query = urlencode({"topic": urn, "authorization": token})
        return HttpResponseRedirect(f"{self.options['SUBSCRIBE_URL']}?{query}")

    def send(self, event: str, data: bytes, channels: Sequence[str], deadline: float) -> None:
        if event == RECHECK:
            # The hub cannot end a stream; its page comes back, and others end with their token.
            event, data = "bye", dump({"reason": RECHECK, "retry": settings.STREAM_RETRY})
        fields = [("topic", _urn(channel)) for channel in channels]
        fields += [("data", data.decode()), ("type", event), ("private", "on")]
        self.request(
            "POST",
            self.options["PUBLISH_URL"],
            deadline,
            body=urlencode(fields),
            headers={
                "Authorization": f"Bearer {self._token('publish', '*', PUBLISHING)}",
                "Content-Type": "application/x-www-form-urlencoded",
            },
        )

    def _token(self, right: str, topic: str, seconds: float) -> str:
        claims = {"mercure": {right: [topic]}, "exp": int(time.time() + seconds)}
        token: str = self._jwt.encode(claims, self._keys[right], self.options["ALGORITHM"])
        return token


def _urn(channel: str) -> str:
    """What Mercure calls a topic."""
    return f"urn:monitio:{channel}"
