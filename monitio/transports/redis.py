"""Redis or Valkey PUB/SUB: one channel per topic, so a process hears only its own open streams.

The database is the log, so nothing here is stored: a lost bell costs latency until the next
snapshot. redis-py heals a broken connection inside ``get_message`` without a word; the only trace
is a fresh ``subscribe`` answer, so each of those is taken as a gap.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from django.core import checks

from monitio.conf import settings
from monitio.transports.base import Listener, Transport
from monitio.transports.events import EVERYBODY, Event, is_everybody
from monitio.transports.redis_url import import_redis, parse

# A frozen server answers nothing and closes nothing: without a pong in time the line is cut.
PING_EVERY, PONG_WITHIN = 3.0, 6.0
# One publish never holds a request longer than this.
PUBLISH_TIMEOUT = 1.0
# How soon a stream that opens is subscribed to. Until then its snapshot is all it needs.
LOOK_EVERY = 0.1
# redis-py's own bound of 100 would be met by a busy server of many greenlets.
CONNECTIONS = 10_000


class RedisTransport(Transport):
    def __init__(self) -> None:
        self._redis = import_redis()
        self._address = parse(settings.REDIS_URL)
        self._publisher: Any = None

    def publish(self, bells: Sequence[Event]) -> None:
        for tries_left in reversed(range(self._address.tries)):
            publisher = self._publisher
            if publisher is None:
                self._publisher = publisher = self._client()
            try:
                self._ring(publisher, bells)
                return
            except (self._redis.RedisError, OSError):
                self._move_on(publisher)
                if not tries_left:
                    raise

    def _move_on(self, failed: Any) -> None:
        """To another server, or to the same one with new connections: redis-py keeps one that a
        master behind Sentinels no longer answers.
        """
        if self._publisher is failed:  # else another thread was faster
            self._publisher = self._client()
            failed.connection_pool.disconnect(inuse_connections=False)

    @staticmethod
    def _ring(publisher: Any, bells: Sequence[Event]) -> None:
        if len(bells) == 1:
            # The usual case, and cheaper than a pipeline.
            publisher.publish(_channel_of(bells[0]), bells[0].encode())
            return
        pipe = publisher.pipeline(transaction=False)
        for bell in bells:
            pipe.publish(_channel_of(bell), bell.encode())
        pipe.execute()

    def listen(self, ears: Listener) -> None:
        client = self._client(PONG_WITHIN)
        pubsub = client.pubsub()
        try:
            _Line(pubsub, ears).read_until_stopped()
        finally:
            pubsub.close()
            client.close()

    def _client(self, timeout: float | None = None) -> Any:
        """A client that reads for this many seconds; None: for its share of a publish."""
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        share = PUBLISH_TIMEOUT / self._address.waits
        options = {
            "socket_timeout": share,
            "socket_connect_timeout": share,
            "max_connections": CONNECTIONS,
            # Once more for a line that broke while it was idle, never for a server that is slow.
            "retry": Retry(NoBackoff(), 1, (self._redis.ConnectionError,)),
        }
        return self._address.client(options, timeout or share)

    def check(self) -> list[checks.CheckMessage]:
        try:
            client = self._client()
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
    """One connected subscription: reads it, pings it, gives up when it stays silent.

    All of it happens in the listening thread, so a dead server never holds a stream that opens.
    """

    def __init__(self, pubsub: Any, ears: Listener) -> None:
        self.pubsub, self.ears = pubsub, ears
        self.topics: set[str] = set()
        self.last_ping = self.last_word = time.monotonic()
        self.next_tick = 0.0

    def read_until_stopped(self) -> None:
        self.pubsub.subscribe(_channel(EVERYBODY))
        while not self.ears.stopping():
            self._follow(self.ears.topics())
            message = self.pubsub.get_message(timeout=LOOK_EVERY)
            if message is not None:
                self.last_word = time.monotonic()
                self._take(message)
            self._keep_alive(time.monotonic())

    def _follow(self, topics: set[str]) -> None:
        opened, closed = topics - self.topics, self.topics - topics
        if opened:
            self.pubsub.subscribe(*map(_channel, opened))
        if closed:
            self.pubsub.unsubscribe(*map(_channel, closed))
        self.topics = topics

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "subscribe":
            # Also when redis-py has connected anew without a word.
            self.ears.on_gap(_topic(message["channel"]))
        elif message["type"] == "message":
            bell = Event.decode(message["data"])
            if bell is not None:
                self.ears.receive(bell)

    def _keep_alive(self, now: float) -> None:
        if now - self.last_ping >= PING_EVERY:
            self.last_ping = now
            self.pubsub.ping()
        if now - self.last_word > PONG_WITHIN:
            raise TimeoutError(f"Redis has not answered for {PONG_WITHIN:.0f} s")
        if now >= self.next_tick:
            self.next_tick = now + 1.0
            self.ears.on_tick()


def _channel_of(bell: Event) -> str:
    # One for all scopes: a process need not know of each.
    return _channel(EVERYBODY if is_everybody(bell.topic) else bell.topic)


def _channel(topic: str) -> str:
    return f"{settings.REDIS_PREFIX}:{topic}"


def _topic(channel: bytes | str) -> str:
    text = channel.decode() if isinstance(channel, bytes) else channel
    return text.removeprefix(f"{settings.REDIS_PREFIX}:")
