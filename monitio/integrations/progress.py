"""Moving bars for task authors: ``progress()`` and ``track()``.

They find the running task wherever they are called. Outside of a task they do nothing, and
``track`` still iterates. A step compares the clock with one number; everything else happens at
most four times a second.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import suppress
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from monitio.conf import settings
from monitio.utils.text import as_number

if TYPE_CHECKING:
    from monitio.integrations.run import Bar, Standing, TaskRun

T = TypeVar("T")
NEVER = float("inf")
# Seconds: a task shows its bars at most this often, in bursts of some, unless the setting is lower.
SHOWN_EVERY = 0.25
# Seconds, for texts that do not wait for the next step: each is written to the database.
FORCED_EVERY = 1.0
RETRY_AFTER = 0.05

logger = logging.getLogger("monitio")


class Progress:
    """How far the running task is: ``done`` of ``total`` (None: unknown), and what it does.

    Usable as it is, or as a context manager; inside another open bar it moves that bar's present
    step. Of its methods only ``check`` ever raises, or a time limit that is reached meanwhile.
    """

    __slots__ = ("_inside", "_next", "_run", "_text", "done", "total")

    def __init__(self, total: float | None = None, text: str = "") -> None:
        # Here and below: the package itself imports this module, before apps are ready.
        from monitio.integrations.run import current_run

        self.done: float = 0
        self.total = total
        self._text = str(text)
        self._run: TaskRun | None = current_run()
        self._inside: Bar | None = None
        self._next = NEVER
        if self._run is not None and self._run.reporter is not None:
            self._inside = self._run.bars[-1] if self._run.bars else None
            if self._inside is None:
                self._run.bar = self
            self._next = 0.0
            if self._text:
                self._show(force=True)

    @property
    def text(self) -> str:
        """What the task is doing, for example "reading"."""
        return self._text

    @text.setter
    def text(self, text: str) -> None:
        self._text = str(text)
        self._show(force=True)

    def advance(self, n: float = 1) -> None:
        """``n`` more steps are done."""
        self.done += n
        if monotonic() >= self._next:
            self._show()

    def update(
        self, done: float | None = None, *, total: float | None = None, text: str | None = None
    ) -> None:
        """The bar stands at ``done``; what is not given stays as it is."""
        if done is not None:
            self.done = done
        if total is not None:
            self.total = total
        if text is not None and text != self._text:
            self._text = str(text)
            self._show(force=True)
        elif monotonic() >= self._next:
            self._show()

    def finish(self) -> None:
        """Show where the bar stands now, without waiting for the next step."""
        self._show(force=True)

    @property
    def cancelled(self) -> bool:
        """Whether the task's owner has cancelled it; looked up at most once a second."""
        return self._run is not None and self._run.is_cancelled()

    def check(self) -> None:
        """Raise ``Cancelled`` when the task's owner has cancelled it."""
        if self._run is not None and self.cancelled:
            raise self._run.integration.cancelled_error

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()

    def _open(self) -> None:
        if self._next != NEVER and self._run is not None:
            self._run.bars.append(self)

    def _close(self) -> None:
        self._show(force=True)
        if self._run is not None and self in self._run.bars:
            self._run.bars.remove(self)

    def _show(self, *, force: bool = False) -> None:
        run = self._run
        if run is None or self._next == NEVER:
            return
        now, interval = monotonic(), settings.PROGRESS_PUSH_INTERVAL
        # A new text does not wait for the next step, which may be an hour away.
        forced = force and run.forced.is_open(now, FORCED_EVERY)
        if not (forced or now >= self._next):
            return
        if not run.shown.is_open(now, min(interval, SHOWN_EVERY)):
            # Steps stay cheap while it waits for its turn.
            self._next = now + min(RETRY_AFTER, interval)
            return
        self._next = now + interval
        run.shown.record(now)
        if forced:
            run.forced.record(now)
        _report(run, self.standing(), forced)

    def standing(self) -> Standing:
        """Done, total and text of the whole task: an inner bar fills one step of the outer one."""
        own, of = as_number(self.done), as_number(self.total)
        if self._inside is None:
            return (own if of or own else None), of, self._text
        done, total, text = self._inside.standing()
        share = min(1.0, (own or 0) / of) if of else 0.0
        return (done or 0) + share, total, self._text or text


def _report(run: TaskRun, standing: Standing, forced: bool) -> None:
    """Report the progress to the job. Errors are logged: progress must never stop the task."""
    from monitio import dispatch
    from monitio.integrations.context import run_off_loop

    assert run.reporter is not None
    report = run.reporter.progressed
    if run.is_locked_out():
        return
    with run.integration.uninterrupted():
        try:
            shown = run_off_loop(lambda: report(*standing, final=forced))
            # Inside a transaction nothing was written down: the end of the run makes up for it.
            if shown and not dispatch.in_transaction():
                run.written = standing
        except Exception:
            logger.exception("The progress of task %s could not be shown.", run.task_id)


class Track(Progress, Generic[T]):
    """What ``track()`` returns: iterate over it once, with ``for`` or ``async for``."""

    __slots__ = ("_items",)

    def __init__(
        self, items: Iterable[T] | AsyncIterable[T], total: float | None, text: str
    ) -> None:
        self._items = items
        if total is None:
            # Some have no length; a queryset must not be counted in an event loop.
            with suppress(Exception):
                total = len(items)  # type: ignore[arg-type]
        super().__init__(total, text)

    def __iter__(self) -> Iterator[T]:
        if not isinstance(self._items, Iterable):
            raise TypeError("Use `async for` to track an asynchronous iterable.")
        self._open()
        # The count is local to the loop: that halves the cost of a step.
        done = self.done
        try:
            for item in self._items:
                yield item
                done += 1
                if monotonic() >= self._next:
                    self.done = done
                    self._show()
        finally:
            self.done = done
            self._close()

    async def __aiter__(self) -> AsyncIterator[T]:
        self._open()
        try:
            if isinstance(self._items, AsyncIterable):
                async for item in self._items:
                    yield item
                    self.advance()
            else:
                for item in self._items:
                    yield item
                    self.advance()
        finally:
            self._close()


def progress(total: float | None = None, text: str = "") -> Progress:
    """A handle on the bar of the running task: ``advance()``, ``update(done)``, ``.text = …``."""
    return Progress(total, text)


def track(
    iterable: Iterable[T] | AsyncIterable[T], total: float | None = None, text: str = ""
) -> Track[T]:
    """Iterate and move the bar of the running task: ``for row in track(rows):``.

    ``total`` is ``len(iterable)`` where it has one; give it for generators and querysets.
    """
    return Track(iterable, total, text)
