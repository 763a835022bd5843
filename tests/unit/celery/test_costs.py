"""Limits for the start and the end of a task: functions entered, and SQL statements.

The plain task: a signed-in user, no progress, no group, no tenants.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from celery.app.task import Task
from django.db import connection
from django.test.utils import CaptureQueriesContext

import monitio
from monitio.transports import get_transport
from monitio.utils import compiled_sql
from monitio_celery import notify_user
from monitio_celery.headers import HEADER, TaskHeader
from monitio_celery.signals.base import HANDLERS
from tests.support.people import user

pytestmark = pytest.mark.django_db(transaction=True)

OURS = tuple(str(Path(monitio.__file__).parent.parent / name) for name in ("monitio", "monitio_c"))


def monthly_report() -> None:
    """A task."""


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> Iterator[Task[Any, Any]]:
    """A task before its start in a worker; its job and message exist."""
    monkeypatch.setattr(get_transport(), "publish", lambda events: None)
    current_app.task(notify_user(monthly_report), name="reports.tasks.monthly_report")
    task = current_app.tasks["reports.tasks.monthly_report"]
    for number in range(2):
        header = TaskHeader(to=[{"user": str(user().pk), "lang": "en"}], run=1)
        headers = {HEADER: header.to_dict(), "id": str(number), "task": task.name}
        handle("report_queued", sender=task.name, headers=headers, body=((), {}, {}))
        place = {"routing_key": "celery"}
        task.push_request(id=str(number), headers=headers, retries=0, delivery_info=place)
        if not number:
            # The first run compiles the statements.
            start(task), succeed(task)
            task.pop_request()
    yield task
    handle("forget_run", task_id=task.request.id, task=task, state="SUCCESS")
    task.pop_request()
    current_app.tasks.pop(task.name)


def handle(name: str, **values: Any) -> None:
    HANDLERS[name][1](**values)


def start(task: Task[Any, Any]) -> None:
    handle("report_started", task_id=task.request.id, task=task, args=(), kwargs={})


def succeed(task: Task[Any, Any]) -> None:
    handle("report_succeeded", sender=task, result=None)
    handle("forget_run", task_id=task.request.id, task=task, state="SUCCESS")


def entered(call: Callable[[], object]) -> list[tuple[str, str]]:
    """Module and name of each function of monitio that is entered, without comprehensions."""
    calls = []

    def note(frame: Any, event: str, argument: object) -> None:
        code = frame.f_code
        is_function = not code.co_name.startswith("<") or code.co_name == "<lambda>"
        if event == "call" and code.co_filename.startswith(OURS) and is_function:
            calls.append((code.co_filename, code.co_qualname))

    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
    return calls


def road(call: Callable[[], object]) -> list[list[tuple[str, str]]]:
    """Module and name of monitio's functions on the stack of each statement, outermost first.

    Without ``monitio.utils``, which is independent of jobs, and wrappers of decorators.
    """
    found = []

    def note(execute: Any, *statement: Any) -> Any:
        stack, frame = [], sys._getframe()
        while frame := frame.f_back:  # type: ignore[assignment]
            code, module = frame.f_code, str(frame.f_globals["__name__"])
            if code.co_filename.startswith(OURS) and not module.startswith("monitio.utils."):
                stack.append((module, code.co_qualname))
        found.append([entry for entry in reversed(stack) if "<locals>" not in entry[1]])
        return execute(*statement)

    with connection.execute_wrapper(note):
        call()
    return found


def statements(call: Callable[[], object]) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        call()
    return [query["sql"].split()[0] for query in captured]


@pytest.mark.parametrize(("event", "calls", "functions"), [(start, 175, 118), (succeed, 163, 110)])
def test_functions_of_a_start_and_an_end(
    task: Task[Any, Any], event: Callable[[Task[Any, Any]], None], calls: int, functions: int
) -> None:
    if event is succeed:
        start(task)
    found = entered(lambda: event(task))
    assert len(found) <= calls
    assert len(set(found)) <= functions


def test_statements_of_a_start_and_an_end(task: Task[Any, Any]) -> None:
    """The job and its message, in one transaction."""
    reads = [] if compiled_sql.returns_rows(connection) else ["SELECT"]
    written = ["BEGIN", "UPDATE", *reads, "UPDATE", "COMMIT"]
    assert statements(lambda: start(task)) == written
    assert statements(lambda: succeed(task)) == written


def test_a_start_takes_ten_functions_to_its_statements_and_returns_to_no_module(
    task: Task[Any, Any],
) -> None:
    stacks = road(lambda: start(task))
    begun = [
        stack[stack.index(("monitio_celery.signals.run", "report_started")) :] for stack in stacks
    ]
    assert len({function for stack in begun for function in stack}) <= 10
    for stack in begun:
        modules = [module for module, _name in stack]
        changes = [
            module
            for module, former in zip(modules, ["", *modules], strict=False)
            if module != former
        ]
        assert len(changes) == len(set(changes)), changes
