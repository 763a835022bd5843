"""Run functions in threads and coroutines in event loops, and close their database connections."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from asgiref.sync import sync_to_async
from django.db import connections

DEADLINE = 60.0


class Running:
    """A function in its own thread; ``result()`` waits for it and raises its exception."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self._answer: Any = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._answer = self._function()
        except BaseException as error:
            self._error = error
        finally:
            connections.close_all()

    def result(self) -> Any:
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive(), "The thread hangs."
        if self._error:
            raise self._error
        return self._answer


def at_once(*functions: Callable[[], Any]) -> list[Any]:
    """Run all functions in parallel, started together; their results."""
    barrier = threading.Barrier(len(functions))

    def together(function: Callable[[], Any]) -> Callable[[], Any]:
        def run() -> Any:
            barrier.wait(DEADLINE)
            return function()

        return run

    return [running.result() for running in [Running(together(one)) for one in functions]]


def run_async(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """``asyncio.run`` that closes the connections of its database thread."""

    async def run() -> Any:
        try:
            return await coroutine
        finally:
            await sync_to_async(connections.close_all)()

    return asyncio.run(run())
