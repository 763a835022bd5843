"""The tasks of the site, one for each kind of notification."""

from __future__ import annotations

import time
from importlib import import_module
from pathlib import Path
from typing import Any

from monitio import UserFacingError
from monitio_tasks import Cancelled, cancelled, notify_user, progress, track
from tests.integration.tasks.settings import PACKAGE

task = import_module(PACKAGE).task
PAUSE = 0.02


@notify_user(success="{month}: {result} pages", url="/reports/{month}", arguments="month")
@task
def report(month: str) -> int:
    return len(month)


@notify_user
@task
def report_of_may() -> int:
    return 3


@task
@notify_user
def below() -> None:
    pass


@notify_user(arguments="month", success="{month}")
@task(takes_context=True)
def with_context(context: Any, month: str) -> int:
    return int(context.attempt)


@notify_user(email=True)
@task
def fails(text: str = "") -> None:
    raise UserFacingError(text) if text else ValueError("for developers")


class Unprintable(UserFacingError):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@notify_user(failure="{error}")
@task
def fails_unprintably() -> None:
    progress(total=1, text="half a surrogate \udc80, NUL \0").advance()
    raise Unprintable


@notify_user(retryable=True)
@task
def needs(path: str, *, times: int = 1) -> int:
    """Fails while the file is missing."""
    return len(Path(path).read_text()) * times


@notify_user
@task
def exits() -> None:
    raise SystemExit(3)


@notify_user
@task
def counts(flag: str) -> None:
    """Reports progress of 2 of 4, and waits until the file is removed."""
    steps = progress(total=4, text="reading")
    while Path(flag).exists():
        steps.update(2)
        time.sleep(PAUSE)
    for _ in track(range(4), text="writing"):
        pass


@notify_user(cancel=True)
@task
def raises_cancelled(flag: str) -> None:
    while Path(flag).exists():
        progress().check()
        time.sleep(PAUSE)


@notify_user(cancel=True)
@task
def stops_by_itself(flag: str) -> None:
    while Path(flag).exists() and not cancelled():
        time.sleep(PAUSE)


@notify_user(cancel=True)
@task
def unaware(flag: str) -> None:
    while Path(flag).exists():
        time.sleep(PAUSE)


@notify_user
@task
def gives_up() -> None:
    raise Cancelled


@notify_user(start="The parent starts")
@task
def parent() -> None:
    report.enqueue("child")


@notify_user(user="owner")
@task
def for_owner(owner: int) -> None:
    pass


@task
def silent() -> None:
    pass


TASKS = {name: value for name, value in list(globals().items()) if hasattr(value, "enqueue")}
