"""Redis or Valkey PUB/SUB: one channel per topic, so a process receives only its own open streams.

The database is the log, so nothing here is stored: a lost event costs latency until the next
snapshot. redis-py repairs a broken connection inside ``get_message`` silently; the only trace is
another ``subscribe`` answer, so each of those counts as a gap.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from django.core import checks

from monitio.conf import settings
from monitio.transports.base import Listener, Transport
from monitio.transports.events import EVERYBODY, Event, is_everybody, packed, unpacked
from monitio.transports.redis_url import import_redis, parse

# A frozen server answers nothing and closes nothing: then this side closes the connection.
PING_EVERY, PONG_WITHIN = 3.0, 6.0
# One publish never holds a request longer than this.
PUBLISH_TIMEOUT = 1.0
# Seconds until a new stream is subscribed to. Until then its snapshot is all it needs.
POLL_EVERY = 0.1
# A busy server of many greenlets exceeds redis-py's default of 100.
CONNECTIONS = 10_000


class RedisTransport(Transport):
    def __init__(self) -> None:
        self._redis = import_redis()
        self._address = parse(settings.REDIS_URL)
        self._publisher: Any = None

    def publish(self, events: Sequence[Event]) -> None:
        events = packed(events)
        for tries_left in reversed(range(self._address.tries)):
            publisher = self._publisher
            if publisher is None:
                self._publisher = publisher = self._client()
            try:
                self._send(publisher, events)
                return
            except (self._redis.RedisError, OSError):
                self._replace(publisher)
                if not tries_left:
                    raise

    def _replace(self, failed: Any) -> None:
        """Use another server, or the same one with new connections.

        redis-py keeps a connection that a master behind Sentinels no longer answers.
        """
        if self._publisher is failed:  # else another thread was faster
            self._publisher = self._client()
            failed.connection_pool.disconnect(inuse_connections=False)

    @staticmethod
    def _send(publisher: Any, events: Sequence[Event]) -> None:
        if len(events) == 1:
            # The usual case, and cheaper than a pipeline.
            publisher.publish(_channel_of(events[0]), events[0].encode())
            return
        pipe = publisher.pipeline(transaction=False)
        for event in events:
            pipe.publish(_channel_of(event), event.encode())
        pipe.execute()

    def listen(self, listener: Listener) -> None:
        client = self._client(PONG_WITHIN)
        pubsub = client.pubsub()
        try:
            _Subscription(pubsub, listener).read_until_stopped()
        finally:
            pubsub.close()
            client.close()

    def _client(self, timeout: float | None = None) -> Any:
        """A client that reads for ``timeout`` seconds, by default its share of a publish."""
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        share = PUBLISH_TIMEOUT / self._address.waits
        options = {
            "socket_timeout": share,
            "socket_connect_timeout": share,
            "max_connections": CONNECTIONS,
            # Once more after a connection broke while it was idle, never for a server that is slow.
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


class _Subscription:
    """Reads and pings one connection; raises ``TimeoutError`` when it stays silent.

    All of it happens in the listening thread, so a dead server never delays a stream that opens.
    """

    def __init__(self, pubsub: Any, listener: Listener) -> None:
        self.pubsub, self.listener = pubsub, listener
        self.topics: set[str] = set()
        self.last_ping = self.last_answer = time.monotonic()
        self.next_tick = 0.0

    def read_until_stopped(self) -> None:
        self.pubsub.subscribe(_channel(EVERYBODY))
        while not self.listener.stopping():
            self._follow(self.listener.topics())
            message = self.pubsub.get_message(timeout=POLL_EVERY)
            if message is not None:
                self.last_answer = time.monotonic()
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
            # Also after redis-py has silently connected again.
            channel = message["channel"]
            text = channel.decode() if isinstance(channel, bytes) else channel
            self.listener.on_gap(text.removeprefix(_channel("")))
        elif message["type"] == "message":
            event = Event.decode(message["data"])
            for change in unpacked(event, self.topics) if event is not None else ():
                self.listener.receive(change)

    def _keep_alive(self, now: float) -> None:
        if now - self.last_ping >= PING_EVERY:
            self.last_ping = now
            self.pubsub.ping()
        if now - self.last_answer > PONG_WITHIN:
            raise TimeoutError(f"Redis has not answered for {PONG_WITHIN:.0f} s")
        if now >= self.next_tick:
            self.next_tick = now + 1.0
            self.listener.on_tick()


def _channel_of(event: Event) -> str:
    # One for all scopes: a process need not know each of them.
    return _channel(EVERYBODY if is_everybody(event.topic) else event.topic)


def _channel(topic: str) -> str:
    return f"{settings.REDIS_PREFIX}:{topic}"
