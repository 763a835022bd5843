"""A stopping server: end the open streams first, then call the server's own handler.

Servers wait for open responses before they stop, some for ever. So the stop signal first makes
every stream send ``bye`` and end.
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
    """Whether this process has received a stop signal."""
    return _stopping.is_set()


def install() -> None:
    """Chain the stop signals. Harmless to call again; does nothing outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        previous = signal.getsignal(number)
        # Without a handler the process ends at once, its streams with it. A handler that C code
        # has installed cannot be called from here.
        if not callable(previous) or hasattr(previous, "ends_streams"):
            continue
        signal.signal(number, _before(previous))


def begin() -> None:
    """End the streams of this process, and each that opens from now on.

    Does not wait for them, so it may be called anywhere.
    """
    _stopping.set()
    # In another thread: the signal may interrupt one that holds the broadcaster's lock. Not with
    # threading.Thread, whose start() waits for it, which gevent forbids in a handler.
    _thread.start_new_thread(lambda: get_broadcaster().wake_all(), ())


def _before(previous: Any) -> Handler:
    def handle(number: int, frame: FrameType | None) -> None:
        begin()
        previous(number, frame)

    handle.ends_streams = True  # type: ignore[attr-defined]
    return handle
