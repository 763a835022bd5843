"""The interface of task queues."""

from __future__ import annotations

from datetime import datetime

import pytest

from monitio import dispatch
from monitio.integrations import base, run
from monitio.integrations.base import Integration
from monitio.integrations.run import TaskRun, current_run


class Queue(Integration):
    names = ("my queue", "my groups")
    delivers = True

    def __init__(self) -> None:
        self.task_id: str | None = None
        self.cancelled: list[str] = []
        self.delivered: list[int] = []

    def deliver(self, delivery_id: int, due_at: datetime) -> None:
        self.delivered.append(delivery_id)

    def cancel(self, task_id: str) -> None:
        self.cancelled.append(task_id)

    def current_task_id(self) -> str | None:
        return self.task_id


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Queue:
    monkeypatch.setattr(base, "_registered", [])
    monkeypatch.setattr(dispatch, "hooks", dispatch.Hooks())
    queue = Queue()
    base.register(queue)
    return queue


def test_a_queue_cancels_jobs_of_all_its_names(queue: Queue) -> None:
    for name in queue.names:
        dispatch.hooks.cancel[name](name)
    assert queue.cancelled == ["my queue", "my groups"]


def test_its_workers_send_deliveries(queue: Queue) -> None:
    assert dispatch.hooks.deliver == queue.deliver


def test_a_queue_that_sends_none_leaves_them_to_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(base, "_registered", [])
    monkeypatch.setattr(dispatch, "hooks", dispatch.Hooks())
    base.register(Integration())
    assert dispatch.hooks.deliver is None


def test_a_run_is_found_by_the_queues_task_id(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = TaskRun("1", carried=None, reporter=None, integration=queue)
    monkeypatch.setattr(run, "_runs", {"1": mine})
    assert current_run() is None
    queue.task_id = "1"
    assert current_run() is mine
