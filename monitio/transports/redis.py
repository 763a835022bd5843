"""Redis or Valkey PUB/SUB: one channel per topic, so a process hears only its own open streams.

The database is the log, so nothing here is stored: a lost bell costs latency until the next
snapshot. redis-py heals a broken connection inside ``get_message`` without a word; the only trace
is a fresh ``subscribe`` answer, so each of those is taken as a gap.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Sequence
from typing import Any

from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from monitio.conf import settings
from monitio.transports.base import Bell, Ears, Transport

# A frozen server answers nothing and closes nothing: without a pong in time the line is cut.
PING_EVERY, PONG_WITHIN = 3.0, 6.0
# One publish never holds a request longer than this.
PUBLISH_TIMEOUT = 1.0


class RedisTransport(Transport):
    def __init__(self) -> None:
        self._redis = _import_redis()
        self._publisher: Any = None
        self._pubsub: Any = None
        self._lock = threading.Lock()

    def publish(self, bells: Sequence[Bell]) -> None:
        if self._publisher is None:
            self._publisher = self._client(PUBLISH_TIMEOUT)
        pipe = self._publisher.pipeline(transaction=False)
        for bell in bells:
            pipe.publish(_channel(bell.topic), bell.encode())
        pipe.execute()

    def listen(self, ears: Ears) -> None:
        client = self._client(PONG_WITHIN)
        pubsub = client.pubsub()
        try:
            # A pubsub without any subscription cannot be read.
            pubsub.subscribe(_channel("!"), *map(_channel, sorted(ears.topics())))
            with self._lock:
                self._pubsub = pubsub
            # A stream may have opened since the first line.
            self._subscribe_missing(pubsub, ears)
            _Line(pubsub, ears).read_until_stopped()
        finally:
            with self._lock:
                self._pubsub = None
            pubsub.close()
            client.close()

    def _subscribe_missing(self, pubsub: Any, ears: Ears) -> None:
        for topic in ears.topics():
            if _channel(topic).encode() not in pubsub.channels:
                pubsub.subscribe(_channel(topic))

    def follow(self, topic: str) -> None:
        self._while_connected("subscribe", topic)

    def unfollow(self, topic: str) -> None:
        self._while_connected("unsubscribe", topic)

    def _while_connected(self, verb: str, topic: str) -> None:
        with self._lock:
            if self._pubsub is None:
                return  # listen() subscribes to all open topics when it connects
            # The reading thread meets the same broken line and reconnects.
            with contextlib.suppress(self._redis.RedisError, OSError):
                getattr(self._pubsub, verb)(_channel(topic))

    def _client(self, timeout: float) -> Any:
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        return self._redis.Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=timeout,
            socket_connect_timeout=PUBLISH_TIMEOUT,
            retry=Retry(NoBackoff(), 0),
        )

    def check(self) -> list[checks.CheckMessage]:
        try:
            client = self._client(PUBLISH_TIMEOUT)
            client.ping()
            client.close()
        except (self._redis.RedisError, OSError, ValueError) as error:
            return [
                checks.Warning(
                    f"monitio cannot reach Redis: {error}",
                    hint="Start Redis or Valkey, or correct MONITIO_REDIS_URL.",
                    id="monitio.W020",
                )
            ]
        return []


class _Line:
    """One connected subscription: reads it, pings it, gives up when it stays silent."""

    def __init__(self, pubsub: Any, ears: Ears) -> None:
        self.pubsub, self.ears = pubsub, ears
        self.last_ping = self.last_word = time.monotonic()
        self.next_tick = 0.0

    def read_until_stopped(self) -> None:
        while not self.ears.stopping():
            message = self.pubsub.get_message(timeout=0.5)
            if message is not None:
                self.last_word = time.monotonic()
                self._take(message)
            self._keep_alive(time.monotonic())

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "subscribe":
            topic = _topic(message["channel"])
            if topic != "!":
                self.ears.gap(topic)
        elif message["type"] == "message":
            bell = Bell.decode(message["data"])
            if bell is not None:
                self.ears.hear(bell)

    def _keep_alive(self, now: float) -> None:
        if now - self.last_ping >= PING_EVERY:
            self.last_ping = now
            self.pubsub.ping()
        if now - self.last_word > PONG_WITHIN:
            raise TimeoutError(f"Redis has not answered for {PONG_WITHIN:.0f} s")
        if now >= self.next_tick:
            self.next_tick = now + 1.0
            self.ears.tick()


def _channel(topic: str) -> str:
    return f"{settings.REDIS_PREFIX}:{topic}"


def _topic(channel: bytes | str) -> str:
    text = channel.decode() if isinstance(channel, bytes) else channel
    return text.removeprefix(f"{settings.REDIS_PREFIX}:")


def _import_redis() -> Any:
    try:
        import redis
    except ImportError as error:
        raise ImproperlyConfigured(
            'MONITIO_TRANSPORT = "redis" needs the redis package: pip install "monitio[redis]"'
        ) from error
    return redis
