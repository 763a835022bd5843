"""The recipients of a task: those that were named, else the user of the request."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from django.db.models import Model

from monitio.integrations import context, middleware
from monitio.integrations.decorators import signature_of
from monitio.jobs.options import NotifyOptions
from monitio.messages import languages, tolerant
from monitio.recipients import Recipient

logger = logging.getLogger("monitio")


def explicit(
    task: Any, options: NotifyOptions | None, args: Any, kwargs: Any
) -> list[Recipient] | None:
    """Those named by a ``notify()`` block, else by the task's ``user=``; None: neither is given."""
    named = context.named()
    if named is not None:
        found = list(named)
    elif options is not None and options.user is not None:
        found = resolve_user(options.user, task, args, kwargs)
    else:
        return None
    if all(recipient.language for recipient in found):
        return found
    consequence = "The site's language is used for the recipients of a task."
    return tolerant.ask(lambda: languages.with_languages(found), found, consequence)


def requester(options: NotifyOptions | None) -> Recipient | None:
    """The user or visitor of the request that is being served."""
    # A visitor gets an address only for a task that notifies.
    found = context.requester(mint=options is not None)
    if found is None and options is not None:
        middleware.warn_once_if_missing()
    return found


def resolve_user(user: Any, task: Any, args: Any, kwargs: Any) -> list[Recipient]:
    """The recipients ``user=`` stands for: an argument's name, a function or a primary key.

    One that cannot be resolved is logged and left out, so that no stranger is notified.
    """
    try:
        with context.savepoint():
            if isinstance(user, str):
                return _recipients(pick_arguments(task, (user,), args, kwargs).get(user))
            return _recipients(user(*(args or ()), **(kwargs or {})) if callable(user) else user)
    except Exception:
        logger.exception("user= of %s failed; no one is notified.", getattr(task, "name", task))
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
        return {}  # bad arguments: the queue fails the task for it
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
