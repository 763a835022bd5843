"""The one header that carries the recipients from the request to the worker and on.

``{"to": [recipient, ...]}`` with ``Recipient.to_dict`` values: a user's primary key or a visitor's
token, never a session key. A part of a group also carries ``"part"`` (canvas.py), and whatever a
task was replaced by (``self.replace``) carries ``"heir"``: the run whose place it takes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Model

from monitio.exceptions import UnknownRecipient
from monitio.recipients import Recipient
from monitio.wording import Options
from monitio_celery import context
from monitio_celery.decorators import signature_of

HEADER = "monitio"
Carried = dict[str, Any]

logger = logging.getLogger("monitio")


def read(headers: object) -> Carried | None:
    """What a task's headers carry; None when they carry nothing that can be understood."""
    carried = headers.get(HEADER) if isinstance(headers, Mapping) else None
    return carried if isinstance(carried, dict) and isinstance(carried.get("to"), list) else None


def write(recipients: Iterable[Recipient], **more: Any) -> Carried:
    """The header's value for these recipients."""
    return {"to": [recipient.to_dict() for recipient in recipients], **more}


def recipients_in(carried: Carried | None) -> list[Recipient]:
    """The recipients a header names; one that cannot be read is left out."""
    found = []
    for entry in carried["to"] if carried else ():
        try:
            found.append(Recipient.from_dict(entry))
        except UnknownRecipient:
            logger.warning("A task's header names a recipient that cannot be read.")
    return found


def inheritable(carried: Carried | None) -> Carried | None:
    """What a task that is started by this one gets: the people, not the place in a group."""
    return {key: carried[key] for key in ("to", "heir") if key in carried} if carried else None


def bequeath(carried: Carried, task_id: str, name: str, part: Any) -> Carried:
    """Let whichever task ends up with this id go on as the run that it replaces."""
    return {**carried, "heir": {"id": task_id, "name": name, "part": part}}


def inheritance(carried: Carried | None, task_id: str) -> tuple[Carried | None, str | None]:
    """The header as it holds for this task, and the name of the task it goes on for, if any."""
    heir = carried.get("heir") if carried else None
    if carried is None or not isinstance(heir, dict) or heir.get("id") != task_id:
        return carried, None
    return {**carried, "part": heir.get("part")}, str(heir.get("name") or "") or None


def choose(
    task: Any, options: Options | None, args: Any, kwargs: Any, inherited: Carried | None
) -> Carried | None:
    """Whom a task is to tell that carries no header yet. Explicit beats inherited beats request.

    None: nothing is known of anybody. ``{"to": []}``: it was said that nobody is told.
    """
    named = context.named()
    if named is not None:
        return write(named)
    if options is not None and options.user is not None:
        return write(resolve_user(options.user, task, args, kwargs))
    if inherited is not None:
        return inheritable(inherited)
    # Only a task that will tell is worth giving a visitor an address.
    requester = context.requester(mint=options is not None)
    return None if requester is None else write([requester])


def resolve_user(user: Any, task: Any, args: Any, kwargs: Any) -> list[Recipient]:
    """The recipients ``user=`` stands for: an argument's name, a function or a primary key.

    One that cannot be resolved is logged and left out: telling nobody beats telling a stranger.
    """
    try:
        with context.savepoint():
            if isinstance(user, str):
                return _recipients(pick_arguments(task, (user,), args, kwargs).get(user))
            return _recipients(user(*(args or ()), **(kwargs or {})) if callable(user) else user)
    except Exception:
        logger.exception("user= of %s failed; nobody is told.", getattr(task, "name", task))
        return []


def pick_arguments(task: Any, names: Iterable[str], args: Any, kwargs: Any) -> dict[str, Any]:
    """The values of the named arguments of one run, defaults included."""
    wanted = tuple(names)
    signature = signature_of(task) if wanted else None
    if signature is None:
        return {}
    try:
        bound = signature.bind_partial(*(args or ()), **(kwargs or {}))
    except TypeError:
        return {}  # bad arguments: Celery fails the task for it
    bound.apply_defaults()
    extra: dict[str, Any] = {}
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            extra = bound.arguments.get(parameter.name, {})
    values = {**extra, **bound.arguments}
    return {name: values[name] for name in wanted if name in values}


def _recipients(who: Any) -> list[Recipient]:
    if who is None:
        return []
    if isinstance(who, str | bytes | Recipient | Model) or not isinstance(who, Iterable):
        return [Recipient.of(who)]
    return list(dict.fromkeys(Recipient.of(one) for one in who))
