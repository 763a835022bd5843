"""Redis or Valkey PUB/SUB: one channel per topic, so a process receives only its own open streams.

The database is the log, so nothing here is stored: a lost event costs latency until the next
snapshot. redis-py repairs a broken connection inside ``get_message`` silently; the only trace is
another ``subscribe`` answer, so each of those counts as a gap.
"""

from __future__ import annotations

import contextlib
import selectors
import time
from collections.abc import Iterable, Sequence
from typing import Any

from django.core import checks

from monitio.conf import settings
from monitio.transports.base import Listener, Transport, Waker
from monitio.transports.events import EVERYBODY, Event, is_everybody, packed, unpacked
from monitio.transports.redis_loop import LoopReader, can_read_in_loop
from monitio.transports.redis_url import import_redis, parse

# A frozen server answers nothing and closes nothing: then this side closes the connection.
PING_EVERY, PONG_WITHIN = 3.0, 6.0
# One publish never holds a request longer than this.
PUBLISH_TIMEOUT = 1.0
# Seconds between two looks at the clock.
WAIT = 1.0
# Seconds after which a connection counts as one that worked.
WORKED = 1.0
# Channels in one SUBSCRIBE.
CHUNK = 500
# A busy server of many greenlets exceeds redis-py's default of 100.
CONNECTIONS = 10_000


class RedisTransport(Transport):
    def __init__(self) -> None:
        self._redis = import_redis()
        self._address = parse(settings.REDIS_URL)
        self._publisher: Any = None
        self._waker: Waker | None = None

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
        topics: set[str] = set()
        with contextlib.closing(Waker()) as waker:
            self._waker = waker
            while not listener.stopping():
                began = time.monotonic()
                client = self._client(PONG_WITHIN)
                pubsub = client.pubsub()
                try:
                    _Subscription(pubsub, listener, waker, topics).read_until_stopped()
                except (ConnectionError, self._redis.ConnectionError):
                    # The server closed a connection that worked: connect again, at once.
                    if time.monotonic() - began < WORKED:
                        raise
                finally:
                    pubsub.close()
                    client.close()

    def wake(self) -> None:
        if self._waker is not None:
            self._waker.wake()

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

    All that may wait happens in the listening thread, so a dead server never delays a stream that
    opens. Where the streams have an event loop, what the server sends is read there.
    """

    def __init__(self, pubsub: Any, listener: Listener, waker: Waker, topics: set[str]) -> None:
        self.pubsub, self.listener, self.waker = pubsub, listener, waker
        # Those of the connection before this one, at first.
        self.topics = topics
        self.prefix = _channel("")
        # When the server was first asked for what it has not answered; None: it has answered.
        self._waits_since: float | None = time.monotonic()
        self.last_ping = time.monotonic()
        self.next_tick = 0.0

    def read_until_stopped(self) -> None:
        self._call(self.pubsub.subscribe, {EVERYBODY, *self.topics})
        connection = self.pubsub.connection
        socket = connection._sock
        with selectors.DefaultSelector() as selector:
            selector.register(self.waker, selectors.EVENT_READ)
            loop, reader = self.listener.event_loop(), None
            if loop is not None and can_read_in_loop(connection):
                reader = LoopReader(loop, connection, self._take_answer, self.waker.wake)
            else:
                selector.register(socket, selectors.EVENT_READ)
            while not self.listener.stopping():
                self._follow_changes()
                if reader is not None:
                    reader.check()
                if connection._sock is not socket:
                    raise ConnectionError("redis-py has closed the connection")
                # Before the wait, which finds all that has arrived by then: the process itself may
                # stand still at any moment.
                now = time.monotonic()
                ready = {key.fileobj for key, _ in selector.select(min(WAIT, PING_EVERY))}
                if socket in ready:
                    self._read()
                if self.waker in ready:
                    self.waker.clear()
                self._keep_alive(now)

    def _read(self) -> None:
        """All answers that have arrived, so that nothing is left in the buffers of redis-py."""
        self._waits_since = None
        while True:
            message = self.pubsub.get_message(timeout=0)
            if message is not None:
                self._take(message)
            # Last: each call polls the socket, and another thread may take the interpreter's lock.
            if not self.pubsub.connection.can_read(timeout=0):
                return

    def _take_answer(self, answer: Any) -> None:
        """One that was read in the event loop."""
        self._waits_since = None
        message = self.pubsub.handle_message(answer)
        if message is not None:
            self._take(message)

    def _follow_changes(self) -> None:
        opened, closed = self.listener.take_changes()
        # Those that this connection has already would be acknowledged again, which means a gap.
        new = opened - self.topics
        # First, as the listener gives each change once: after an error the next connection has it.
        self.topics |= opened
        self.topics -= closed
        self._call(self.pubsub.subscribe, new)
        self._call(self.pubsub.unsubscribe, closed)

    def _call(self, command: Any, topics: Iterable[str]) -> None:
        names = [self.prefix + topic for topic in topics]
        for start in range(0, len(names), CHUNK):
            command(*names[start : start + CHUNK])

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "subscribe":
            # Also after redis-py has silently connected again.
            channel = _bytes(message["channel"]).decode()
            self.listener.on_subscribed([channel.removeprefix(self.prefix)])
        elif message["type"] == "message":
            event = Event.decode(_bytes(message["data"]))
            if event is None:
                # Of another release, while one replaces the other. What "everybody" may have been
                # about is found by the next recheck and comparison.
                self.listener.on_gap(_bytes(message["channel"]).decode().removeprefix(self.prefix))
                return
            for change in unpacked(event, self.topics):
                self.listener.receive(change)

    def _keep_alive(self, now: float) -> None:
        if now - self.last_ping >= PING_EVERY:
            self.last_ping = now
            if self._waits_since is None:
                self._waits_since = now
            self.pubsub.ping()
        if self._waits_since is not None and now - self._waits_since > PONG_WITHIN:
            raise TimeoutError(f"Redis has not answered for {PONG_WITHIN:.0f} s")
        if now >= self.next_tick:
            self.next_tick = now + 1.0
            self.listener.on_tick()


def _bytes(value: bytes | str) -> bytes:
    # Text with the option decode_responses in the URL.
    return value.encode() if isinstance(value, str) else value


def _channel_of(event: Event) -> str:
    # One for all scopes: a process need not know each of them.
    return _channel(EVERYBODY if is_everybody(event.topic) else event.topic)


def _channel(topic: str) -> str:
    return f"{settings.REDIS_PREFIX}:{topic}"
