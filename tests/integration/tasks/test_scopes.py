"""A task of django.tasks has no header: its scope is that of its job's row."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from monitio import scope
from monitio.integrations.context import notify
from monitio.integrations.decorators import notify_user
from monitio.models import Job, Message
from monitio_tasks import receivers
from tests.support import scopes
from tests.support.people import user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _scopes(settings: Any) -> None:
    settings.MONITIO_SCOPE = scopes.PATH


def result(task_id: str, status: str = "READY", *args: Any, **options: Any) -> Any:
    """A task's result as signals pass it."""

    def work(who: int = 0) -> None: ...

    task = SimpleNamespace(
        func=work, module_path="shop.work", takes_context=False, queue_name="default"
    )
    decorated: Callable[[Any], Any] = notify_user(**options)
    decorated(task)
    found = SimpleNamespace(id=task_id, task=task, status=status, args=args, kwargs={}, attempts=1)
    found.refresh = lambda: None
    found.return_value, found.errors = None, []
    return found


def enqueue(where: str, ann: Any) -> None:
    with scope.activate(where), notify(ann):
        receivers.report_enqueued(task_result=result("1"))


def test_a_worker_reports_in_the_scope_of_the_job() -> None:
    enqueue("a", user())
    receivers.report_started(task_result=result("1", "RUNNING"))
    receivers.report_finished(task_result=result("1", "SUCCESSFUL"))
    assert list(Job.objects.values_list("scope", "state")) == [("a", "succeeded")]
    assert [message.scope for message in Message.objects.all()] == ["a"]


@pytest.mark.parametrize("options", [{}, {"user": "who"}], ids=["inherited", "named"])
def test_a_child_belongs_to_the_scope_of_its_parent(options: dict[str, Any]) -> None:
    ann = user()
    enqueue("a", ann)
    receivers.report_started(task_result=result("1", "RUNNING"))
    receivers.report_enqueued(task_result=result("2", "READY", ann.pk, **options))
    receivers.report_finished(task_result=result("1", "SUCCESSFUL"))
    assert Job.objects.get(task_id="2").scope == "a"
    assert {message.recipient_key for message in Message.objects.all()} == {f"a/user:{ann.pk}"}
