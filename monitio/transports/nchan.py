"""nchan, the module of nginx (https://nchan.io).

nginx asks Django for each stream, as for any page. Django's response names the channel in a header
that nginx itself follows (X-Accel-Redirect), so no client ever sees or chooses a channel.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from monitio.transports.events import RECHECK
from monitio.transports.hub import Hub, channel_for

EXPLANATION = (
    "By MONITIO_STREAM, nginx with nchan holds the streams of this site, "
    "but this request has not come through it.\n"
)


class NchanHub(Hub):
    defaults = {"SUBSCRIBE_URL": "/monitio/nchan/"}
    # 33 characters each: they fit into nginx's default of 8 KiB for the request line.
    addresses_at_once = 200

    def __init__(self) -> None:
        super().__init__()
        self._location = str(self.options["SUBSCRIBE_URL"]).rstrip("/")
        if not self._location.startswith("/"):
            raise ImproperlyConfigured(
                f"MONITIO_STREAM: SUBSCRIBE_URL {self.options['SUBSCRIBE_URL']!r} must begin with "
                "/: it is the internal location of nginx where the streams are."
            )

    def respond(self, request: HttpRequest, topic: str) -> HttpResponseBase:
        headers = {"X-Accel-Redirect": f"{self._location}/{channel_for(topic)}"}
        return HttpResponse(EXPLANATION, content_type="text/plain", headers=headers)

    def send(self, event: str, data: bytes, channels: Sequence[str], deadline: float) -> None:
        url = f"{self.options['PUBLISH_URL']}?id={','.join(channels)}"
        if event == RECHECK:
            # Ends the streams there and deletes what is kept for the next. 404: there is none.
            self.request("DELETE", url, deadline, accept=[404])
        else:
            headers = {"X-EventSource-Event": event, "Content-Type": "application/json"}
            self.request("POST", url, deadline, body=data, headers=headers)
