"""The recipients in effect while a request is served or a task runs."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any, TypeVar

from django.db import connections, transaction
from django.http import HttpRequest

from monitio import dispatch, scope
from monitio.exceptions import UnknownRecipient
from monitio.recipients import Recipient

logger = logging.getLogger("monitio")
T = TypeVar("T")

# The request itself: its user is resolved only when a task is published.
current_request: ContextVar[HttpRequest | None] = ContextVar("monitio_request", default=None)
_named: ContextVar[tuple[Recipient, ...] | None] = ContextVar("monitio_named", default=None)


@contextmanager
def notify(*who: Any) -> Iterator[None]:
    """Notify these recipients of every decorated task that is started inside the block.

    ``who``: users, primary keys or Recipients; without any, the tasks notify no one. Overrides a
    task's own ``user=`` and the user of the request. Raises ``UnknownRecipient`` for anything else.
    """
    token = _named.set(tuple(Recipient.of(one) for one in who))
    try:
        yield
    finally:
        _named.reset(token)


def named() -> tuple[Recipient, ...] | None:
    """The recipients of the innermost ``notify()`` block."""
    return _named.get()


def requester(*, mint: bool = True) -> Recipient | None:
    """The user or visitor of the request that is being served, None outside of requests.

    ``mint`` gives an anonymous visitor an address if they have none yet.
    """
    request = current_request.get()
    if request is None:
        return None
    resolve = Recipient.from_request if mint else Recipient.existing
    try:
        with savepoint():
            return resolve(request)
    except UnknownRecipient:
        return None


def savepoint() -> AbstractContextManager[Any]:
    """Protects the caller's open transaction from a query that fails."""
    database = dispatch.database()
    if connections[database].in_atomic_block:
        return transaction.atomic(using=database)
    return nullcontext()


def in_event_loop() -> bool:
    """Whether this thread runs an event loop, where Django forbids database access."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def run_off_loop(call: Callable[[], T]) -> T:
    """Call it here, or in a thread of its own when this one runs an event loop."""
    return _in_a_thread(call) if in_event_loop() else call()


def run_aside(call: Callable[[], T]) -> T:
    """Call it outside of the caller's transaction, which may not see what others have written."""
    aside = in_event_loop() or dispatch.in_transaction()
    return _in_a_thread(call) if aside else call()


def _in_a_thread(call: Callable[[], T]) -> T:
    bound = scope.bind(call)

    def call_and_close() -> T:
        try:
            return bound()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1, thread_name_prefix="monitio") as pool:
        return pool.submit(contextvars.copy_context().run, call_and_close).result()
