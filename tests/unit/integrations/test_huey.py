"""The huey example of docs/other-queues.md, with huey's storage and execution."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone

from monitio import dispatch
from monitio.integrations import base
from monitio.integrations.context import notify
from monitio.integrations.run import deactivate
from monitio.models import Job, Message
from tests.support.people import user

pytest.importorskip("huey")
pytestmark = pytest.mark.django_db(transaction=True)

PAGE = Path(__file__).parents[3] / "docs" / "other-queues.md"
TASKS = """
from monitio.integrations.decorators import notify_user
from monitio.integrations.progress import track
from shop.queue import huey

@huey.task(retries=1)
@notify_user(success="{result} rows are in", cancel=True)
def count(rows):
    return sum(1 for _ in track(range(rows)))

@huey.task()
@notify_user
def count_once(rows):
    raise ValueError(rows)

@huey.task()
def silent():
    pass
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The example with its tasks; ``work()`` runs the next task as a worker does."""
    code = re.search(r"^```python\n(# shop/queue\.py\n.*?)^```", PAGE.read_text(), re.M | re.S)
    assert code is not None
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "queue.py").write_text(code[1])
    (tmp_path / "shop" / "tasks.py").write_text(TASKS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(base, "_registered", [])
    monkeypatch.setattr(dispatch, "hooks", dispatch.Hooks())
    tasks: Any = importlib.import_module("shop.tasks")
    queue: Any = importlib.import_module("shop.queue")
    base.register(queue.integration)

    def work() -> None:
        queue.huey.execute(queue.huey.dequeue())

    yield SimpleNamespace(
        tasks=tasks, queue=queue, work=work, lines=sum(map(bool, code[1].splitlines()))
    )
    queue.huey.storage.close()
    for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
        del sys.modules[name]


def states() -> list[str]:
    return list(Job.objects.values_list("state", flat=True))


def test_it_is_short(shop: Any) -> None:
    assert shop.lines < 60


def test_a_task_reports_from_the_request_to_its_result(shop: Any) -> None:
    with notify(user()):
        shop.tasks.count(3)
    assert states() == ["queued"]
    shop.work()
    message, job = Message.objects.get(), Job.objects.get()
    assert (message.subject, message.message) == ("Count: done", "3 rows are in")
    assert (job.name, job.state, job.completed) == ("shop.tasks.count", "succeeded", 3)


def test_a_failure_is_retried_first(shop: Any) -> None:
    with notify(user()):
        shop.tasks.count("x")
    shop.work()
    assert states() == ["retrying"]
    shop.work()
    job = Job.objects.get()
    assert (job.state, job.attempt) == ("failed", 1)


def test_a_waiting_task_is_cancelled(shop: Any) -> None:
    with notify(user()):
        task = shop.tasks.count(3)
    dispatch.hooks.cancel["huey"](task.id)
    shop.work()
    assert states() == ["revoked"]


def test_a_task_without_the_decorator_notifies_no_one(shop: Any) -> None:
    with notify(user()):
        shop.tasks.silent()
    shop.work()
    assert states() == []


@pytest.mark.parametrize("known", [True, False])
def test_a_task_whose_worker_died_is_found(shop: Any, known: bool) -> None:
    with notify(user()):
        task = shop.tasks.count(3)
    shop.queue.executing(None, shop.queue.huey.dequeue())
    if known:
        shop.queue.huey.put_result(task.id, 3)
    Job.objects.update(alive_at=timezone.now() - timedelta(seconds=301))
    assert base.sweep() == (not known)
    assert states() == ["succeeded" if known else "lost"]
    deactivate(task.id)
