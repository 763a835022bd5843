"""The tasks of the test project."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from celery import Task, chain, chord, group, shared_task
from celery.exceptions import Ignore, Reject, Retry
from django.contrib.auth.models import Group, User
from django.db import connection, transaction

from monitio.exceptions import UserFacingError
from monitio_celery import cancelled, notify, notify_group, notify_user, progress, track

# Seconds after which a task ends when its test has died.
TIMEOUT = 300


@notify_user(
    title="Monthly report for {month}",
    success="{result[pages]} pages",
    url=lambda outcome: outcome.result["url"],
    url_label="Download",
    email=True,
    arguments=["month"],
)
@shared_task
def report(month: str, secret: str = "") -> dict[str, Any]:
    return {"pages": 12, "url": f"/reports/{month}"}


@shared_task
@notify_user(email="unless_read", email_delay=1)
def mailed_unless_read() -> None: ...


@shared_task
@notify_user
def plain_success() -> int:
    return 42


@shared_task
@notify_user(success="{result}")
def has_a_connection() -> bool:
    return connection.connection is not None


@shared_task
@notify_user(retryable=True, email=True)
def needs(path: str, *, until: str = "") -> int:
    """Fails while the file is missing; with ``until`` it waits for another one first."""
    while until and not Path(until).exists():
        time.sleep(0.05)
    return len(Path(path).read_text())


@shared_task
@notify_user
def fail() -> None:
    raise ValueError("password=hunter2")


@shared_task
@notify_user(email=["failed"])
def fail_kindly() -> None:
    raise UserFacingError("The file is empty.")


@shared_task(bind=True, max_retries=5)
@notify_user(email=True)
def flaky(self: Task[Any, Any], failures: int = 2, countdown: float = 0) -> str:
    if self.request.retries < failures:
        raise self.retry(exc=OSError("disk on fire"), countdown=countdown)
    return "at last"


@shared_task(
    bind=True, autoretry_for=(OSError,), retry_backoff=False, max_retries=1, default_retry_delay=0
)
@notify_user(email=True)
def hopeless(self: Task[Any, Any]) -> None:
    raise OSError("disk on fire")


@shared_task
@notify_user
def wait_for(path: str) -> str:
    """Runs until the file exists; creates a file beside it once it waits."""
    Path(f"{path}.reached").touch()
    deadline = time.monotonic() + TIMEOUT
    while not Path(path).exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    return "seen"


@shared_task
@notify_user(cancel=True)
def unaware(path: str) -> None:
    """Can be cancelled, but does not check for it."""
    wait_for.run(path)


def _look_until(path: str, is_cancelled: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + TIMEOUT
    while not Path(path).exists() and time.monotonic() < deadline:
        if is_cancelled():
            return True
        time.sleep(0.02)
    return False


@shared_task
@notify_user(cancel=True)
def stops_by_itself(path: str) -> str:
    """Ends early and returns."""
    return "halfway" if _look_until(path, cancelled) else "whole"


@shared_task
@notify_user(cancel=True)
def raises_cancelled(path: str) -> None:
    bar = progress()
    _look_until(path, lambda: bar.cancelled)
    bar.check()


@shared_task
@notify_user(cancel=True)
def raises_cancelled_inside_atomic(path: str) -> None:
    bar = progress()
    with transaction.atomic():
        User.objects.create_user(f"made in {path}"[-100:])
        _look_until(path, lambda: bar.cancelled)
        bar.check()


@shared_task
@notify_user(when=1)
def slow(path: str) -> None:
    wait_for.run(path)


@shared_task
@notify_user(progress="{done} of {total} rows")
def count_rows(total: int, path: str) -> int:
    """Shows a progress bar; waits in the middle until the file exists."""
    for row in track(range(total), text="reading"):
        if row == total // 2:
            wait_for.run(path)
    return total


@shared_task
@notify_user
def count_inside_atomic(path: str) -> int:
    with transaction.atomic():
        bar = progress(total=10)
        for _ in range(5):
            bar.advance()
        wait_for.run(path)
        bar.update(10)
    return 10


@shared_task
def plain_parent() -> str:
    """Without the decorator: only its child is reported."""
    return str(plain_success.delay().id)


@shared_task
@notify_user(user="owner_id")
def owned(owner_id: int | None = None) -> None: ...


@shared_task
@notify_user(user=lambda *owners: owners)
def for_many(*owners: int) -> None: ...


@shared_task
@notify_user(user=lambda: User.objects.filter(is_staff=True))
def for_staff() -> None: ...


@shared_task
@notify_user(user=lambda name: Group.objects.get(name=name).user_set.all())
def for_members(name: str) -> None: ...


@shared_task
def for_another_user(pk: int) -> str:
    with notify(pk):
        return str(plain_success.delay().id)


@shared_task
@notify_user
def ignored() -> None:
    raise Ignore()


@shared_task
@notify_user
def rejected() -> None:
    raise Reject("no", requeue=False)


@shared_task
@notify_user
def killed() -> None:
    os.kill(os.getpid(), 9)


@shared_task(acks_late=True)
@notify_user
def killed_with_late_ack() -> None:
    os.kill(os.getpid(), 9)


@shared_task(acks_late=True, reject_on_worker_lost=True)
@notify_user(email=True)
def killed_once(path: str) -> str:
    """Dies in its first run; its message is delivered again."""
    if not Path(path).exists():
        Path(path).touch()
        os.kill(os.getpid(), 9)
    return "at last"


@shared_task(bind=True, max_retries=1)
@notify_user(email=True)
def dies_after_its_retry(self: Task[Any, Any], path: str, queue: str) -> str:
    """Dies in its first attempt after it has published the second one, which waits for the file."""
    if self.request.retries:
        return str(wait_for.run(path))
    with contextlib.suppress(Retry):
        self.retry(countdown=0, queue=queue)
    os.kill(os.getpid(), 9)
    return "never"


@shared_task
@notify_user
def exits() -> None:
    sys.exit(1)


@shared_task(acks_late=True, reject_on_worker_lost=True)
@notify_user(email=True)
def exits_once(path: str) -> str:
    if not Path(path).exists():
        Path(path).touch()
        sys.exit(1)
    return "at last"


@shared_task
@notify_user(email=True)
def out_of_memory() -> None:
    raise MemoryError


@shared_task
@notify_user
def unencodable() -> object:
    return object()


@shared_task(ignore_result=True)
@notify_user(success="{result}")
def forgotten() -> str:
    return "not asked for"


@shared_task
@notify_user
def requeued_in_vain() -> None:
    raise Reject("later", requeue=True)


@shared_task(acks_late=True)
@notify_user(email=True)
def requeued_once(path: str) -> str:
    if not Path(path).exists():
        Path(path).touch()
        raise Reject("later", requeue=True)
    return "at last"


@shared_task(acks_late=True)
@notify_user(email=True)
def wait_with_late_ack(path: str) -> str:
    return str(wait_for.run(path))


@shared_task
@notify_user(email=True)
def count_until(path: str) -> int:
    """Moves its progress bar until the file exists."""
    deadline = time.monotonic() + TIMEOUT
    bar = progress(total=10_000)
    while not Path(path).exists() and time.monotonic() < deadline:
        time.sleep(0.02)
        bar.advance()
    return int(bar.done)


@shared_task(soft_time_limit=1)
@notify_user(email=True)
def too_slow_softly(seconds: float = 30) -> None:
    time.sleep(seconds)


@shared_task
@notify_user
def limited_while_its_bar_moves() -> None:
    """Receives the worker's signal while its progress is written; it would run on otherwise."""
    from monitio.jobs.reporter import JobReporter

    progressed = JobReporter.progressed

    def interrupted(*args: Any, **options: Any) -> bool:
        os.kill(os.getpid(), signal.SIGUSR1)
        return progressed(*args, **options)

    bar = progress(total=2)
    with mock.patch.object(JobReporter, "progressed", interrupted):
        bar.advance()


@shared_task(time_limit=1)
@notify_user(email=True)
def too_slow(seconds: float = 30) -> None:
    time.sleep(seconds)


@shared_task(bind=True)
@notify_user
def replacing(self: Task[Any, Any]) -> Any:
    raise self.replace(plain_success.s())


@shared_task(bind=True)
@notify_user
def replacing_by_chain(self: Task[Any, Any]) -> Any:
    raise self.replace(chain(part.si(1), part.si(2)))


@shared_task(bind=True)
@notify_user
def replacing_by_chord(self: Task[Any, Any]) -> Any:
    raise self.replace(chord([part.s(1), part.s(2)], add_up.s()))


@shared_task(bind=True)
def replacing_part(self: Task[Any, Any]) -> Any:
    raise self.replace(part.si(1))


def one_bar_with_replacement() -> str:
    return str(notify_group("Two", group(replacing_part.s(), part.s(1))).delay().id)


def _ask_a_broken_table() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nothing FROM nowhere")


@shared_task
@notify_user(user=_ask_a_broken_table)
def broken_user() -> None: ...


@shared_task
def part(number: int, bad: tuple[int, ...] = (), path: str = "") -> int:
    if path and number:
        wait_for.run(path)
    if number in bad:
        raise ValueError("part failed")
    return number


@shared_task
def add_up(numbers: list[int]) -> int:
    return sum(numbers)


@shared_task
@notify_user(title="Sum")
def notified_sum(numbers: list[int]) -> int:
    return sum(numbers)


@shared_task
@notify_user(title="Step {name}", arguments="name")
def notified_step(name: str) -> str:
    return name


@shared_task
@notify_user
def notified_join(names: list[str]) -> str:
    return " ".join(names)


@shared_task
@notify_user(title="After a failure")
def after_failure(task_id: str) -> None: ...


# One signature that several tasks share.
AFTER_FAILURE = after_failure.s()


@shared_task
def killed_silently() -> None:
    os.kill(os.getpid(), 9)


@shared_task
def fail_silently() -> None:
    raise ValueError


def errback_of_a_failure() -> str:
    return str(fail_silently.apply_async(link_error=AFTER_FAILURE).id)


def errback_of_a_death() -> str:
    """The worker's main process starts its errback."""
    return str(killed_silently.apply_async(link_error=AFTER_FAILURE).id)


def mapped() -> str:
    return str(notified_step.map(["one", "two"]).delay().id)


def starmapped() -> str:
    return str(notified_step.starmap([("one",), ("two",)]).delay().id)


def chunked() -> str:
    results = notified_step.chunks([(str(n),) for n in range(4)], 2).group()().results
    return " ".join(str(result.id) for result in results)


class Custom(Task):  # type: ignore[type-arg]
    """A task base class of the project."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return super().__call__(*args, **kwargs)


@shared_task(base=Custom)
@notify_user
def of_a_class_of_its_own() -> None: ...


with contextlib.suppress(ImportError):
    from pydantic import BaseModel

    class Month(BaseModel):
        name: str

    @notify_user(title="Report for {month}", arguments="month")
    @shared_task(pydantic=True)
    def validated(month: Month) -> str:
        return month.name


@shared_task(autoretry_for=(OSError,), max_retries=2, default_retry_delay=0, bind=True)
@notify_user
def retried_by_itself(self: Task[Any, Any]) -> None:
    if self.request.retries < 2:
        raise OSError("disk on fire")


def two_steps() -> str:
    result = chain(notified_step.si("one"), notified_step.si("two"))()
    return f"{result.parent.id} {result.id}"


def group_of_two() -> str:
    results = group(notified_step.s("one"), notified_step.s("two"))().results
    return " ".join(str(result.id) for result in results)


def chord_of_two() -> str:
    body = chord([notified_step.s("one"), notified_step.s("two")], notified_join.s())()
    return " ".join(str(result.id) for result in (*body.parent.results, body))


def chord_with_notified_body() -> str:
    return str(chord([part.s(n) for n in range(3)], notified_sum.s())().id)


def one_bar(bad: list[int] = [], path: str = "") -> str:  # noqa: B006
    parts = [part.s(n, tuple(bad), path) for n in range(8)]
    canvas = chord(parts, add_up.s())
    return str(notify_group("Nightly import", canvas, success="Sum: {result}").delay().id)


def one_bar_group() -> str:
    return str(notify_group("Eight", group(part.s(n) for n in range(8))).delay().id)


def linked() -> str:
    return str(part.apply_async((1,), link=plain_success.si()).id)


@shared_task
@notify_user
def two_texts(path: str) -> None:
    with progress(total=2) as bar:
        bar.text = "reading"
        bar.advance()
        bar.text = "writing"
        wait_for.run(path)
        bar.advance()


@shared_task
@notify_user
def hurry(path: str) -> float:
    """Moves its progress bar without pauses until the file exists; returns the seconds it took."""
    bar = progress(total=10**9)
    begin = time.monotonic()
    while not (bar.done % 100 == 0 and Path(path).exists()):
        bar.advance()
        bar.text = str(bar.done)
    return time.monotonic() - begin


@shared_task
@notify_user
def count_asynchronously(total: int, path: str) -> None:
    async def count() -> None:
        async for number in track(range(total)):
            if number == total - 1:
                wait_for.run(path)

    asyncio.run(count())


@shared_task
@notify_user
def count_in_a_thread() -> None:
    def count() -> None:
        for _ in track(range(5)):
            pass

    asyncio.run(asyncio.to_thread(count))


@shared_task
def is_outside() -> str:
    from monitio.integrations.run import current_run

    return "no run" if current_run() is None or current_run().reporter is None else "a run"


def caught_failure() -> None:
    with contextlib.suppress(ValueError):
        fail.delay()


def caught_needs(path: str) -> None:
    with contextlib.suppress(OSError):
        needs.delay(path)


@shared_task
def needing_part(number: int, path: str) -> int:
    """With an even number, fails while the file is missing; logs its runs in a file beside it."""
    with Path(f"{path}.runs").open("a") as runs:
        print(number, file=runs)
    if number % 2 == 0 and not Path(path).exists():
        raise ValueError("part failed")
    return number


def again_chord(path: str) -> str:
    canvas = chord([needing_part.s(n, path) for n in range(1, 5)], add_up.s())
    return str(_again(canvas, success="Sum: {result}").delay().id)


def again_group(path: str) -> str:
    return str(_again(group(needing_part.s(n, path) for n in range(1, 5))).delay().id)


def again_nested(path: str) -> str:
    """A chain whose second step fails, beside a group that is followed by a task."""
    steps = chain(needing_part.si(1, path), needing_part.si(2, path), needing_part.si(3, path))
    both = group(needing_part.si(5, path), needing_part.si(7, path)) | add_up.s()
    return str(_again(chord([steps, both], add_up.s()), success="Sum: {result}").delay().id)


def _again(canvas: Any, **options: Any) -> Any:
    return notify_group("Again", canvas, retryable=True, **options)


def one_bar_chain() -> str:
    steps = chain(part.si(0), part.si(1, (1,)), part.si(2), part.si(3))
    return str(notify_group("Four steps", steps).delay().id)


def one_bar_decorated() -> str:
    return str(notify_group("Two", group(plain_success.s(), plain_success.s())).delay().id)


def one_bar_with_children() -> str:
    return str(notify_group("Two", group(plain_parent.s(), part.s(1))).delay().id)


@shared_task
def counting_part(path: str) -> None:
    """Reports half of its progress, and waits."""
    bar = progress(total=2)
    bar.advance()
    wait_for.run(path)
    bar.advance()


def one_bar_in_halves(path: str) -> str:
    canvas = group(counting_part.s(path), part.s(0))
    return str(notify_group("Two", canvas).delay().id)


def one_bar_nested() -> str:
    """Groups in a chain in a group, with one signature used several times."""
    same = part.si(1)
    inner = chain(group(same, same), add_up.s(), part.si(2))
    return str(notify_group("Nested", group(inner, same, same), success="Fine").delay().id)


def one_bar_of_nothing() -> str:
    return str(notify_group("Nothing", group([])).delay().id)


@shared_task(acks_late=True, reject_on_worker_lost=True)
def part_that_dies_once(path: str) -> int:
    if not Path(path).exists():
        Path(path).touch()
        os.kill(os.getpid(), 9)
    return 1


def one_bar_of_mishaps(path: str) -> str:
    canvas = group(retrying_part.s(), part_that_dies_once.s(path), part.s(0))
    return str(notify_group("Mishaps", canvas).delay().id)


@shared_task(bind=True, max_retries=3)
def retrying_part(self: Task[Any, Any]) -> int:
    if self.request.retries < 2:
        raise self.retry(countdown=0)
    return 1


def one_bar_to_cancel(path: str, queue: str = "celery") -> str:
    """Some members run, some wait, and the body never starts."""
    parts = [part.s(number, (), path).set(queue=queue) for number in range(1, 6)]
    canvas = chord(parts, add_up.s().set(queue=queue))
    return str(notify_group("Long one", canvas, cancel=True).delay().id)


def one_bar_here_and_there(path: str, queue: str) -> str:
    canvas = chord([part.s(1, (), path).set(queue=queue), part.s(0)], add_up.s())
    return str(notify_group("Two places", canvas).delay().id)


def one_bar_for(pk: int) -> str:
    return str(notify_group("Two", group(part.s(0), part.s(1)), user=pk).delay().id)
