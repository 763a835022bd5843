"""The one header that carries the recipients from the request to the worker and on.

``{"to": [recipient, ...]}`` with ``Recipient.to_dict`` values: a user's primary key or a visitor's
token, never a session key. ``"scope"`` is the tenant or site in which the task was started, where
there is one. A member of a group also carries ``"part"`` (groups/notify.py), and a task that
replaces another one (``self.replace``) carries ``"heir"``: the run that it replaces.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

from monitio import scope as scopes
from monitio.exceptions import UnknownRecipient
from monitio.integrations import recipients as task_recipients
from monitio.integrations.context import run_off_loop
from monitio.integrations.run import Carried, TaskRun
from monitio.jobs.options import NotifyOptions
from monitio.recipients import Recipient

HEADER = "monitio"

logger = logging.getLogger("monitio")


def read(headers: object) -> Carried | None:
    """monitio's entry in a task's headers; None when it is missing or malformed."""
    carried = headers.get(HEADER) if isinstance(headers, Mapping) else None
    return carried if isinstance(carried, dict) and isinstance(carried.get("to"), list) else None


def write(recipients: Iterable[Recipient], **more: Any) -> Carried:
    """The header's value for these recipients."""
    scope = scopes.current()
    carried = {"to": [recipient.to_dict() for recipient in recipients], **more}
    return {**carried, "scope": scope} if scope else carried


def activate(carried: Carried | None) -> AbstractContextManager[Any]:
    """The scope a header names; without a header, the current one stays."""
    return nullcontext() if carried is None else scopes.activate(carried.get("scope") or "")


def due_at(source: Mapping[str, Any]) -> datetime | None:
    """The latest time at which a worker should begin a task, by its ETA and expiry.

    ``source`` are the headers of its message, or the options of ``apply_async``.
    """
    moments = [_moment(source.get(name)) for name in ("countdown", "eta", "expires")]
    return max(filter(None, moments), default=None)


def _moment(value: Any) -> datetime | None:
    try:
        if isinstance(value, int | float):
            return datetime.now(UTC) + timedelta(seconds=value)
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        # Celery's own are in UTC unless they carry a time zone.
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def recipients_in(carried: Carried | None) -> list[Recipient]:
    """The recipients a header names, without malformed ones."""
    found = []
    for entry in carried["to"] if carried else ():
        try:
            found.append(Recipient.from_dict(entry))
        except UnknownRecipient:
            logger.warning("A task's header names a recipient that cannot be read.")
    return found


def inheritable(carried: Carried | None) -> Carried | None:
    """The header for tasks that this one starts: the same recipients, no group membership."""
    return (
        {key: carried[key] for key in ("to", "scope", "heir") if key in carried}
        if carried
        else None
    )


def replaced_by(carried: Carried, task_id: str, name: str, replaced: Carried | None) -> Carried:
    """The header of a task that continues the run it replaces, under the same id."""
    part = replaced.get("part") if replaced else None
    heir = {"id": task_id, "name": name, "part": part, "run": run_of(replaced)}
    return {**carried, "heir": heir}


def of_a_new_run(carried: Carried) -> Carried:
    """The header of a run that is published now; an existing time of publishing stays."""
    return carried if "run" in carried else {**carried, "run": time.time_ns() // 1_000_000}


def run_of(carried: Carried | None) -> int:
    """When the run was published, in milliseconds since 1970; 0 when unknown."""
    run = carried.get("run") if carried else None
    return run if isinstance(run, int) and 0 < run < 2**62 else 0


def for_task(carried: Carried | None, task_id: str) -> tuple[Carried | None, str | None]:
    """The header as it applies to this task, and the name of the task it replaces, if any."""
    heir = carried.get("heir") if carried else None
    if carried is None or not isinstance(heir, dict) or heir.get("id") != task_id:
        return carried, None
    carried = {**carried, "part": heir.get("part"), "run": heir.get("run")}
    return carried, str(heir.get("name") or "") or None


def choose(
    task: Any, options: NotifyOptions | None, args: Any, kwargs: Any, inherited: Carried | None
) -> Carried | None:
    """The recipients of a task without a header. Explicit beats inherited beats request.

    None: no recipient is known. ``{"to": []}``: an empty list was given explicitly.
    """
    explicit = task_recipients.explicit(task, options, args, kwargs)
    if explicit is not None:
        return write(explicit)
    if inherited is not None:
        return inheritable(inherited)
    requester = task_recipients.requester(options)
    return None if requester is None else write([requester])


def choose_in(
    run: TaskRun | None, task: Any, options: NotifyOptions | None, args: Any, kwargs: Any
) -> Carried | None:
    """``choose`` for a task that ``run`` starts, or that is started outside of tasks (None)."""
    inherited = run.carried if run else None
    with nullcontext() if run is None else scopes.activate(run.scope_of_children()):
        return run_off_loop(lambda: choose(task, options, args, kwargs, inherited))
