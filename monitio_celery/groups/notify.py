"""One message, one bar and one end for a whole group, chain or chord.

Every task of the canvas carries its number and the group's id in the header; members.py reports
them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any, cast

from celery import chord, group
from celery.canvas import Signature, _chain, maybe_signature
from celery.result import AsyncResult
from celery.utils import uuid
from django.db import transaction

from monitio import dispatch, scope
from monitio.channels.policy import DeliveryPolicy
from monitio.integrations.run import current_run
from monitio.jobs.options import NotifyOptions
from monitio.jobs.retry import stored_call
from monitio.models import JobRun
from monitio.utils.text import clean_text
from monitio_celery import headers
from monitio_celery.calls import TaskCall
from monitio_celery.groups import members
from monitio_celery.headers import Member, TaskHeader

# Texts travel in the header as JSON, so they cannot be callables.
_TEXTS = ("start", "progress", "success", "failure", "lost", "url", "url_label")
_OPTIONS = (
    *(*_TEXTS, "email", "email_delay", "via", "when", "lost_after"),
    *("category", "extra_tags", "icon", "cancel", "retryable"),
)
# Characters of a canvas that are stored: some thousand parts.
LONGEST_CANVAS = 1_000_000


class NotifiedCanvas:
    """What ``notify_group`` returns: start it like the canvas itself."""

    def __init__(self, canvas: Signature, title: str, user: Any, options: dict[str, Any]) -> None:
        self.canvas, self.title, self.user, self.options = canvas, title, user, options

    def delay(self) -> AsyncResult[Any]:
        """Start it. Returns what the canvas returns."""
        return self.apply_async()

    def delay_on_commit(self) -> None:
        """Start it when the surrounding transaction has been committed."""
        transaction.on_commit(scope.bind(self.delay))

    def apply_async(self, **options: Any) -> AsyncResult[Any]:
        """Start it with Celery's own options, for example ``countdown=10``."""
        options_of_user = NotifyOptions(user=None if self.user is None else lambda: self.user)
        call = TaskCall(task=None, options=options_of_user, kwargs={})
        header = call.choose_header_in(current_run())
        if header is None:
            return self.canvas.apply_async(**options)
        canvas = self.canvas.clone()
        places = number_members(canvas)
        options_of_group, stored = dict(self.options), None
        if options_of_group.get("retryable"):
            # Before its tasks carry ids and headers.
            stored = stored_call(self.title, (), {}, longest=LONGEST_CANVAS, canvas=canvas)
            options_of_group["retryable"] = stored is not None
        whole = Member(
            group=uuid(), number=0, total=len(places), title=self.title, options=options_of_group
        )
        enrol(places, whole, header)
        return publish(canvas, places, whole, header, call=stored, **options)


def enrol(
    places: Iterable[Place], whole: Member, header: TaskHeader, done: Collection[int] = ()
) -> None:
    """Make tasks the members of the group ``whole``, except those whose numbers are ``done``."""
    for number, (task, successors, predecessors) in enumerate(places):
        if number in done:
            continue
        task.options.setdefault("task_id", members.member_id(whole.group, number))
        member = replace(whole, number=number, successors=successors, predecessors=predecessors)
        value = replace(header, group_member=member).to_dict()
        task.options["headers"] = {**(task.options.get("headers") or {}), headers.HEADER: value}


def publish(
    canvas: Signature,
    places: Sequence[Place],
    whole: Member,
    header: TaskHeader,
    *,
    call: str | None = None,
    done: Collection[int] = (),
    **options: Any,
) -> AsyncResult[Any]:
    """Publish the canvas of the group ``whole`` and report it; returns what ``apply_async`` does.

    ``call`` is the stored canvas, ``done`` are the numbers of parts that have succeeded before.
    Raises kombu's ``OperationalError``. Where the broker has taken some parts only, these run, and
    the others have failed.
    """
    report = partial(announce, whole, header, headers.due_at(options), call)
    with headers.published_tasks() as published:
        try:
            result = canvas.apply_async(**options)
        except Exception:
            unpublished = _unpublished(places, published)
            if len(unpublished | {*done}) < len(places):
                report()
                _fail(whole, header, sorted(unpublished - {*done}))
            raise
    # Not before: a broker that is down leaves no message behind.
    report()
    return result


def _unpublished(places: Sequence[Place], published: Collection[str]) -> set[int]:
    """The numbers of the parts that were not published, and of those that wait for them."""
    found = set[int]()
    for number, (task, successors, predecessors) in enumerate(places):
        # Workers publish the parts that have predecessors.
        if not predecessors and task.options.get("task_id") not in published:
            found.update([number], *(range(*one) for one in successors))
    return found


def _fail(whole: Member, header: TaskHeader, numbers: Sequence[int]) -> None:
    """End these parts; one that runs nevertheless overrides this."""
    if numbers:
        others = [(number, number + 1) for number in numbers[1:]]
        member = replace(whole, number=numbers[0], successors=others)
        with headers.activate(header):
            members.MemberReporter(member, header.recipients()).lost()


def announce(
    whole: Member, header: TaskHeader, due_at: datetime | None = None, call: str | None = None
) -> None:
    """Report the group as queued; ``call`` is its stored canvas."""
    with headers.activate(header):
        reporter = members.group_reporter(whole, header.recipients(), call)
    dispatch.after_commit(partial(reporter.queued, due_at))
    if call is not None:
        # A worker that was quicker has written the job, without the canvas.
        rows = JobRun.objects.filter(task_id=whole.group, scope=header.scope, call="")
        dispatch.after_commit(partial(rows.update, call=call))
    if not whole.total:
        # No member will ever report.
        dispatch.after_commit(reporter.succeeded)


def notify_group(
    title: str, canvas: Signature, *, user: Any = None, **options: Any
) -> NotifiedCanvas:
    """Report a group, chain or chord as one job: ``notify_group("Import", chord(…)).delay()``.

    Texts are strings with ``{done}``, ``{total}``, ``{failed}`` and ``{result}``: the result of a
    chord's body, of a chain's last task, of a group's last member. ``user`` is a user, a primary
    key, a Recipient or several of them; by default the user of the request or the recipients of
    the running task.
    Raises ``TypeError`` and ``ValueError`` like ``@notify_user``.
    """
    unknown = sorted(set(options) - set(_OPTIONS))
    if unknown:
        raise TypeError(
            f"notify_group has no option {unknown[0]!r}. Valid are user, {', '.join(_OPTIONS)}."
        )
    for name in options.keys() & set(_TEXTS):
        if callable(options[name]):
            raise TypeError(f"{name}= of notify_group travels with the tasks: give it a string.")
    plain = {name: _plain(value) for name, value in options.items()}
    title = clean_text(title)
    members.check(title, plain)
    return NotifiedCanvas(canvas, title, user, plain)


Place = tuple[Signature, list[tuple[int, int]], list[tuple[int, int]]]


def number_members(canvas: Signature) -> list[Place]:
    """The tasks of a canvas in order, each with the ranges of its successors and predecessors."""
    places: list[Place] = []
    _walk(canvas, places)
    return places


def _walk(node: Signature, places: list[Place]) -> None:
    if not isinstance(node, chord | group | _chain):
        places.append((node, [], []))
        return
    bounds = [len(places)]
    for step in _steps(node):
        for sibling in step:
            _walk(sibling, places)
        bounds.append(len(places))
    first, last = bounds[0], bounds[-1]
    for start, stop in pairwise(bounds):
        for _task, successors, predecessors in places[start:stop]:
            successors += [(stop, last)] if stop < last else []
            predecessors += [(first, start)] if first < start else []


def _steps(node: Signature) -> Iterator[list[Signature]]:
    """The steps that run one after another; the tasks of a step run concurrently."""
    if isinstance(node, chord):
        header = node["kwargs"]["header"]
        yield _unpack(node, "header", header.tasks if isinstance(header, group) else header)
        if node.body is not None:
            yield [node.body]
    elif isinstance(node, group):
        yield _unpack(node, "tasks", node.tasks)
    elif isinstance(node, _chain):
        for task in _unpack(node, "tasks", node.tasks):
            yield [task]


def _unpack(node: Signature, key: str, tasks: Iterable[Any]) -> list[Signature]:
    """The members of a canvas, stored in it as a list: a generator can be read only once.

    Copies, because one signature may be used several times.
    """
    found = [cast(Signature, maybe_signature(task, app=node.app, clone=True)) for task in tasks]
    node["kwargs"][key] = found
    return found


def _plain(value: Any) -> Any:
    """The value as JSON and databases store it; a lazy text in the current language."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, DeliveryPolicy):
        return asdict(value)
    if isinstance(value, Mapping):
        return {clean_text(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return sorted(map(clean_text, value))
    return clean_text(value)
