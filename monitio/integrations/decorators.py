"""``@notify_user``: attaches options to a task and returns the task itself.

The worker's signals do the work (``signals``), so the decorator stands above or below
``@shared_task`` and the task keeps its signature, ``delay`` and checks.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, TypedDict, TypeVar, Unpack, overload

from monitio.channels.policy import Delay, Email, Via
from monitio.jobs.options import NotifyOptions, Text, When
from monitio.jobs.outcome import Outcome
from monitio.utils.text import AnyString

ATTRIBUTE = "__monitio__"
# Where a Celery task keeps its function, what autoretry_for or pydantic=True wrapped around, and
# where a task of django.tasks keeps its own.
_INNER = ("run", "__wrapped__", "func")
T = TypeVar("T")


class OptionNames(TypedDict, total=False):
    """The options of ``@notify_user``, as ``monitio.jobs.options.NotifyOptions`` documents them."""

    title: Text
    start: Text
    progress: Text
    success: Text
    failure: Text
    retry: Text
    revoked: Text
    lost: Text
    url: AnyString | Callable[[Outcome], str | None] | None
    url_label: AnyString | Callable[[Outcome], AnyString | None]
    file: Callable[[Outcome], Any] | None
    email: Email | str | Collection[str] | Mapping[str, Email]
    email_delay: Delay
    via: Via | Mapping[str, Via] | None
    when: When
    lost_after: float | None
    user: Any
    arguments: str | Iterable[str]
    levels: Mapping[str, int]
    category: str
    extra_tags: str
    icon: str
    cancel: bool
    retryable: bool


@overload
def notify_user(task: T, /) -> T: ...
@overload
def notify_user(**options: Unpack[OptionNames]) -> Callable[[T], T]: ...
def notify_user(task: Any = None, /, **options: Any) -> Any:
    """Notify the user who started the task of its outcome.

    Bare or with options. Raises ``TypeError`` for an unknown option or a value of the wrong type
    and ``ValueError`` for unknown names in texts, ``email=`` or ``arguments=``.
    """
    if task is not None and not callable(task) and not hasattr(task, "func"):
        raise TypeError(f"@notify_user decorates a task. Name your option: notify_user(…={task!r})")
    unknown = sorted(set(options) - set(OptionNames.__annotations__))
    if unknown:
        raise TypeError(
            f"@notify_user has no option {unknown[0]!r}. Valid are "
            f"{', '.join(OptionNames.__annotations__)}."
        )
    chosen = NotifyOptions(**options)

    def attach(task: Any) -> Any:
        _check_arguments(task, chosen)
        # A task of django.tasks is frozen.
        setattr(task if callable(task) else task.func, ATTRIBUTE, chosen)
        # Each Celery app makes its own task of one shared function: mark that function, too.
        if getattr(task, "_decorated", False):
            run = inspect.unwrap(task.run)
            setattr(getattr(run, "__func__", run), ATTRIBUTE, chosen)
        return task

    return attach if task is None else attach(task)


def options_of(task: Any) -> NotifyOptions | None:
    """The options attached to a task, or to the function it runs; None: it notifies no one."""
    place = task
    while place is not None:
        options = getattr(place, ATTRIBUTE, None)
        if isinstance(options, NotifyOptions):
            return options
        place = next(filter(None, (getattr(place, name, None) for name in _INNER)), None)
    return None


def signature_of(task: Any) -> inspect.Signature | None:
    """The signature of what a task runs, without a bound ``self`` or the ``context`` it takes."""
    try:
        signature = inspect.signature(getattr(task, "run", None) or getattr(task, "func", task))
    except (TypeError, ValueError):
        return None
    if not getattr(task, "takes_context", False):
        return signature
    return signature.replace(parameters=list(signature.parameters.values())[1:])


def _check_arguments(task: Any, options: NotifyOptions) -> None:
    """Raise ``ValueError`` when an option names an argument that the task does not take."""
    signature = signature_of(task)
    if signature is None:
        return
    takes_any = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
    wanted = dict.fromkeys(options.arguments, "arguments=")
    if isinstance(options.user, str):
        wanted[options.user] = "user="
    for name, option in wanted.items():
        if name not in signature.parameters and not takes_any:
            taken = ", ".join(signature.parameters) or "no arguments"
            task_name = getattr(task, "__name__", task)
            raise ValueError(
                f"{option} names {name!r}, which {task_name} does not take. It takes {taken}."
            )
