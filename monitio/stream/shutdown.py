"""A stopping server: tell the open streams first, then do what the server always did.

Servers wait for open responses before they stop, some for ever. So the stop signal is heard before
the server's own handler: every stream says ``bye`` and ends.
"""

from __future__ import annotations

import _thread
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from monitio.stream.broadcaster import get_broadcaster

_stopping = threading.Event()
Handler = Callable[[int, FrameType | None], None]


def stopping() -> bool:
    """Whether this process was told to stop."""
    return _stopping.is_set()


def install() -> None:
    """Chain the stop signals. Harmless to call again; does nothing outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        previous = signal.getsignal(number)
        # A function of the server's. Without one the process ends at once, its streams with it;
        # what C code has installed cannot be called from here.
        if not callable(previous) or hasattr(previous, "tells_streams"):
            continue
        signal.signal(number, _before(previous))


def begin() -> None:
    """End this process's streams, and each that opens from now on: it is about to stop.

    Does not wait for them, so it may be called anywhere.
    """
    _stopping.set()
    # In a thread of its own: a signal may interrupt one that holds the hub's lock. Started in this
    # way, because a Thread waits until it runs, which gevent forbids in a handler.
    _thread.start_new_thread(lambda: get_broadcaster().wake_all(), ())


def _before(previous: Any) -> Handler:
    def handle(number: int, frame: FrameType | None) -> None:
        begin()
        previous(number, frame)

    handle.tells_streams = True  # type: ignore[attr-defined]
    return handle
