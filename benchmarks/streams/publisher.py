"""The process that sends: ``COUNT RATE`` on stdin is one notification each to users 1 to COUNT.

A text holds the time of its sending, in nanoseconds of the machine's monotonic clock.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from http.client import HTTPConnection
from typing import Any

Publish = Callable[[int, str], object]


def monitio() -> Publish:
    import django

    django.setup()
    from monitio import INFO, create_message

    return lambda user, text: create_message(user, INFO, text)


def eventstream() -> Publish:
    import django

    django.setup()
    from django_eventstream import send_event

    return lambda user, text: send_event(f"user-{user}", "message", text)


def channels() -> Publish:
    import django

    django.setup()
    from asgiref.sync import async_to_sync
    from channels.layers import get_channel_layer

    layer: Any = get_channel_layer()
    send = async_to_sync(layer.group_send)
    return lambda user, text: send(f"user-{user}", {"type": "notice", "text": text})


def raw() -> Publish:
    import redis

    client = redis.Redis.from_url(os.environ["BENCHMARK_REDIS"])
    return lambda user, text: client.publish("bus", f"{user}\n{text}")


def nchan() -> Publish:
    connection = HTTPConnection("127.0.0.1", int(os.environ["BENCHMARK_PORT"]))

    def publish(user: int, text: str) -> None:
        connection.request("POST", f"/publish/{user}/", text)
        connection.getresponse().read()

    return publish


MAKERS = {
    "monitio": monitio,
    "monitio_view": monitio,
    "eventstream": eventstream,
    "channels": channels,
    "raw": raw,
    "nchan": nchan,
}


def main() -> None:
    publish = MAKERS[os.environ["BENCHMARK_SUBJECT"]]()
    for line in sys.stdin:
        count, rate = map(int, line.split())
        begin = time.monotonic()
        for number in range(count):
            time.sleep(max(0.0, begin + number / rate - time.monotonic()))
            publish(number + 1, f"@@{time.monotonic_ns()}@@ the report for May is ready")


if __name__ == "__main__":
    main()
