"""One message, one bar and one end for a whole group, chain or chord.

Every task of the canvas carries its number and the group's id in the header. A part that ends
leaves one row (``GroupPart``); the rows are counted after each insert has been committed, so the
last part to come sees them all and ends the group, whatever runs at the same time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from itertools import pairwise
from typing import Any, cast

from celery import chord, group
from celery.canvas import Signature, _chain, maybe_signature
from celery.result import AsyncResult
from celery.utils import uuid
from django.db import transaction
from django.utils.translation import gettext as _

from monitio import dispatch
from monitio.constants import State
from monitio.jobs import JobReporter
from monitio.outcomes import Notice, Outcome
from monitio.queues.running import Carried, current_run
from monitio.recipients import Recipient
from monitio.wording import Options
from monitio_celery import headers

QUEUE = "celery.group"
# What a header can carry: text, and nothing that would have to be called.
_TEXTS = ("start", "progress", "success", "failure", "lost", "url", "url_label")
_OPTIONS = (*_TEXTS, "email", "email_delay", "when", "category", "extra_tags", "cancel")


# Half-open ranges of numbers of parts.
Ranges = Sequence[tuple[int, int]]


@dataclass(frozen=True, kw_only=True)
class Part:
    """Which part of which group a task is, as its header says."""

    group: str
    number: int
    total: int
    title: str
    # The parts that never run when this one does not succeed, and those that have succeeded when
    # this one runs: Celery starts it before it says so of them.
    skips: Ranges = ()
    follows: Ranges = ()
    options: dict[str, Any]


class NotifiedCanvas:
    """What ``notify_group`` returns: start it like the canvas itself."""

    def __init__(self, canvas: Signature, title: str, user: Any, options: dict[str, Any]) -> None:
        self.canvas, self.title, self.user, self.options = canvas, title, user, options

    def delay(self) -> AsyncResult[Any]:
        """Start it. Returns what the canvas returns."""
        return self.apply_async()

    def delay_on_commit(self) -> None:
        """Start it when the surrounding transaction has been committed."""
        transaction.on_commit(self.delay)

    def apply_async(self, **options: Any) -> AsyncResult[Any]:
        """Start it with Celery's own options, for example ``countdown=10``."""
        carried = self._carried()
        if carried is None:
            return self.canvas.apply_async(**options)
        canvas = self.canvas.clone()
        parts = number_parts(canvas)
        shared = {"group": uuid(), "total": len(parts), "title": self.title}
        for number, (task, skips, follows) in enumerate(parts):
            place = {"number": number, "skips": skips, "follows": follows}
            part = {**shared, **place, "options": self.options}
            header = {headers.HEADER: {**carried, "part": part}}
            task.options["headers"] = {**(task.options.get("headers") or {}), **header}
        result = canvas.apply_async(**options)
        # After the publish: a broker that is down leaves no message behind.
        self._announce({**shared, "number": 0, "options": self.options}, carried)
        return result

    def _carried(self) -> Carried | None:
        run = current_run()
        options = Options(user=None if self.user is None else lambda: self.user)
        return headers.choose(None, options, (), {}, run.carried if run else None)

    def _announce(self, part: dict[str, Any], carried: Carried) -> None:
        reporter = group_reporter(Part(**part), headers.recipients_in(carried))
        dispatch.after_commit(reporter.queued)


def notify_group(
    title: str, canvas: Signature, *, user: Any = None, **options: Any
) -> NotifiedCanvas:
    """Tell about a group, chain or chord as a whole: ``notify_group("Import", chord(…)).delay()``.

    Texts are strings with ``{done}``, ``{total}``, ``{failed}`` and ``{result}``: the result of a
    chord's body, of a chain's last task, of a group the part that ended last. ``user`` is a user, a
    primary key, a Recipient or several of them; by default it is whoever makes the request or
    started the running task.
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
    _wording({"options": plain, "title": str(title)})
    return NotifiedCanvas(canvas, str(title), user, plain)


def group_of(carried: Carried | None) -> Part | None:
    """The part a header speaks of; None when the task is in no group."""
    part = carried.get("part") if carried else None
    if not isinstance(part, dict):
        return None
    try:
        return Part(**part)
    except TypeError:
        return None


class PartReporter:
    """Reports what becomes of one part to its group's job. A part has no message of its own."""

    def __init__(self, part: Part, recipients: list[Recipient]) -> None:
        self.part = part
        self.group = group_reporter(part, recipients)

    def queued(self) -> bool:
        return False

    def started(self, attempt: int = 0) -> bool:
        return self.group.started()

    def retrying(self, attempt: int, reason: str | BaseException = "") -> bool:
        return False

    def succeeded(self, result: Any = None) -> bool:
        return self._ended(failed=False, result=result)

    def failed(self, error: BaseException | str) -> bool:
        return self._ended(failed=True)

    def revoked(self, reason: str = "") -> bool:
        return self._ended(failed=True)

    def lost(self) -> bool:
        return False

    def cancel_requested(self) -> bool:
        return self.group.cancel_requested()

    def progressed(
        self, done: float | None, total: float | None = None, text: str = "", *, final: bool = False
    ) -> bool:
        # The group's bar moves by whole parts.
        return False

    def _ended(self, *, failed: bool, result: Any = None) -> bool:
        from monitio_celery.models import GroupPart

        part = self.part
        settled = part.skips if failed else part.follows
        numbers = [part.number, *(n for start, stop in settled for n in range(start, stop))]
        rows = [GroupPart(group=part.group, number=n, failed=failed) for n in numbers]
        with transaction.atomic(using=dispatch.database()):
            GroupPart.objects.bulk_create(rows, ignore_conflicts=True)
        # Counted after the commit: before it, two last parts would not see each other.
        dispatch.after_commit(lambda: self._count(result))
        return True

    def _count(self, result: Any) -> None:
        from monitio_celery.models import GroupPart

        ended, failed = GroupPart.objects.counts(self.part.group)
        if ended >= self.part.total:
            self._end(failed, result)
        elif not self._rows().filter(done__gt=ended).exists():
            # Otherwise a part that ended later was faster to say so.
            self.group.progressed(ended, self.part.total)

    def _end(self, failed: int, result: Any) -> None:
        total = self.part.total
        self.group.started()
        with transaction.atomic(using=dispatch.database()):
            # Holds the row: a late bar of another part waits, and then finds the job ended.
            self._rows().exclude(state__in=State.FINAL).update(done=total - failed, total=total)
            if failed:
                self.group.failed(f"{failed} of {total} parts failed")
            else:
                self.group.succeeded(result)

    def _rows(self) -> Any:
        from monitio.models import Job

        return Job.objects.filter(task_id=self.part.group)


def group_reporter(part: Part, recipients: list[Recipient]) -> JobReporter:
    return JobReporter(
        part.group,
        queue=QUEUE,
        name=part.title,
        recipients=recipients,
        wording=_wording(asdict(part)),
        cancellable=bool(part.options.get("cancel")),
    )


Place = tuple[Signature, list[tuple[int, int]], list[tuple[int, int]]]


def number_parts(canvas: Signature) -> list[Place]:
    """The tasks of a canvas in order, each with the parts it would skip and those it follows."""
    parts: list[Place] = []
    _walk(canvas, parts)
    return parts


def _walk(node: Signature, parts: list[Place]) -> None:
    steps = list(_steps(node))
    if not steps:
        parts.append((node, [], []))
        return
    bounds = [len(parts)]
    for step in steps:
        for sibling in step:
            _walk(sibling, parts)
        bounds.append(len(parts))
    first, last = bounds[0], bounds[-1]
    for start, stop in pairwise(bounds):
        for _task, skips, follows in parts[start:stop]:
            skips += [(stop, last)] if stop < last else []
            follows += [(first, start)] if first < start else []


def _steps(node: Signature) -> Iterator[list[Signature]]:
    """What runs one after another: each step a list of what runs at once. Nothing for a task."""
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
    """The members of a canvas, kept in it as what they are: a generator can be read only once."""
    members = [cast(Signature, maybe_signature(task, app=node.app)) for task in tasks]
    node["kwargs"][key] = members
    return members


def _plain(value: Any) -> Any:
    """The value as JSON can carry it; a lazily translated text in the present language."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return sorted(map(str, value))
    return str(value)


class _GroupWording:
    """The wording of a group: its counts stand where a task has its reason."""

    def __init__(self, title: str, options: dict[str, Any]) -> None:
        self.options = Options(title=lambda outcome: title, arguments=("failed",), **options)
        self.says_failure = options.get("failure") is not None

    def __call__(self, outcome: Outcome) -> Notice | None:
        done, total = int(outcome.done or 0), int(outcome.total or 0)
        failed = total - done if outcome.state == State.FAILED else 0
        notice = self.options.notice(replace(outcome, arguments={"failed": failed}))
        if notice is None or outcome.state != State.FAILED or self.says_failure:
            return notice
        counts = {"done": done, "total": total, "failed": failed}
        text = _("%(done)d of %(total)d parts are done, %(failed)d failed.") % counts
        return replace(notice, message=text)


def _wording(part: dict[str, Any]) -> _GroupWording:
    return _GroupWording(part["title"], part["options"])
