"""How a task queue plugs in: a subclass of ``Integration``, registered once apps are ready."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from datetime import datetime

from monitio import dispatch


class Cancelled(Exception):
    """Raise it in a task that has seen that it is cancelled: the task ends as revoked."""


class Integration:
    """What ``monitio`` needs of a task queue. The defaults suit a queue that only runs tasks."""

    # The values of ``Job.integration`` that belong to it.
    names: tuple[str, ...] = ()
    # What a bar's ``check()`` raises, when the queue ends a task by an exception of its own.
    cancelled_error: type[Cancelled] = Cancelled
    # Whether its workers send deliveries.
    delivers = False

    def deliver(self, delivery_id: int, due_at: datetime) -> None:
        """Send a delivery in a worker when it is due. Called only where ``delivers`` is set.

        Raises what the broker raises when it is down: the delivery then stays pending.
        """
        raise NotImplementedError

    def cancel(self, task_id: str) -> None:
        """Stop the task, or withdraw it while it waits. The default leaves it to the task itself.

        Raises what the broker raises when it is down.
        """

    def current_task_id(self) -> str | None:
        """The id of the task that this thread runs, None outside of tasks."""
        return None

    def uninterrupted(self) -> AbstractContextManager[object]:
        """The context in which nothing interrupts the task, such as a time limit."""
        return nullcontext()


_registered: list[Integration] = []


def register(integration: Integration) -> None:
    """Plug in a task queue; to be called in ``AppConfig.ready()``."""
    _registered.append(integration)
    if integration.delivers:
        dispatch.hooks.deliver = integration.deliver
    dispatch.hooks.cancel |= dict.fromkeys(integration.names, integration.cancel)


def current_task_id() -> str | None:
    """The id of the task that this thread runs, whatever its queue."""
    ids = (integration.current_task_id() for integration in _registered)
    return next(filter(None, ids), None)
