"""Whatever fails while a state is reported, it is reported: again, or in the default texts."""

from __future__ import annotations

import logging
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from functools import wraps
from typing import Protocol, TypeVar

from django.db import IntegrityError, OperationalError
from django.utils import translation

from monitio import dispatch
from monitio.jobs.messages import JobMessages
from monitio.jobs.options import NotifyOptions
from monitio.jobs.outcome import MessageContent, Outcome, Render
from monitio.jobs.states import Transition
from monitio.utils.database import is_deadlock, is_unreachable
from monitio.utils.shorten import as_ascii

logger = logging.getLogger("monitio")

# Attempts of one report: each may meet a deadlock, or the deletion of a recipient.
RETRIES = 3


class _Reporter(Protocol):
    name: str
    task_id: str
    messages: JobMessages


R = TypeVar("R", bound=_Reporter)


def until_reported(
    write: Callable[[R, Transition, bool], bool],
) -> Callable[[R, Transition], bool]:
    """A method that updates the row and notifies, called until it has succeeded.

    Its last argument is whether to trust that the recipients exist. Raises the errors of a database
    that is down or locked, and what fails even in the bare default texts.
    """

    @wraps(write)
    def repeat(reporter: R, event: Transition) -> bool:
        # In the caller's transaction, an error at its commit would be the caller's.
        in_transaction = dispatch.in_transaction()
        trusting, failures, fallbacks = not in_transaction, 0, iter((False, True))
        while True:
            try:
                return write(reporter, event, trusting and failures < RETRIES)
            except Exception as error:
                failures += 1
                # MySQL locks more rows than a small table's query names.
                is_victim = isinstance(error, OperationalError) and is_deadlock(error)
                was_deleted = isinstance(error, IntegrityError)
                if failures <= RETRIES and (was_deleted or (is_victim and not in_transaction)):
                    # A recipient was deleted. Without trust the query leaves them out.
                    trusting = trusting and not was_deleted
                    logger.info("Job %s is reported again: %s", reporter.task_id, error)
                    continue
                bare = next(fallbacks, None)
                if bare is None or is_unreachable(error):
                    raise
                logger.error(
                    "An event of %s (%s) could not be reported; the default texts are used.",
                    reporter.name,
                    reporter.task_id,
                    exc_info=error,
                )
            render = with_default_texts(reporter.messages.render, bare=bare)
            reporter, event = copy(reporter), event.in_ascii()
            reporter.name = as_ascii(reporter.name)
            reporter.messages = JobMessages(reporter.name, render, is_fallback=True)
            trusting, failures = not in_transaction, 0

    return repeat


def with_default_texts(render: Render, *, bare: bool = False) -> Render:
    """Renders what ``render`` does, in the default texts.

    Level, category and e-mail stay the author's choice. With ``bare`` they do not, and the texts
    are English: nothing is left that could fail.
    """

    def render_default(outcome: Outcome) -> MessageContent | None:
        plain = replace(outcome, result=None, exception=None, error="", text="", arguments={})
        with translation.override(None if bare else translation.get_language()):
            default = NotifyOptions().content(plain)
        assert default is not None
        try:
            chosen = render(outcome)
        except Exception:  # already logged
            return default
        if chosen is None or bare:
            return default if chosen else None
        return replace(
            default,
            level=chosen.level,
            email=chosen.email,
            email_delay=chosen.email_delay,
            via=chosen.via,
            start_via=chosen.start_via,
            category=chosen.category,
            icon=chosen.icon,
            extra_tags=chosen.extra_tags,
        )

    return render_default
