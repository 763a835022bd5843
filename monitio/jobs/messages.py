"""Brings every recipient's message of a job to its outcome, and plans the deliveries."""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db.models import F
from django.utils import timezone
from django.utils.safestring import SafeString

from monitio import dispatch, links
from monitio.channels import deliveries
from monitio.channels.policy import Steps, steps_from
from monitio.constants import PERSISTENT_LEVELS, State, is_persistent, level_name
from monitio.jobs import collapse
from monitio.jobs.options import NotifyOptions, checked_link
from monitio.jobs.outcome import MessageContent, Outcome, Render
from monitio.jobs.recipients import EMAILED, NOTIFIED, START_SENT, JobRecipient, job_recipients
from monitio.messages import visitors
from monitio.models import Job, Message, plain_text
from monitio.recipients import Recipient
from monitio.signals import job_ended
from monitio.utils.compiled_sql import CompiledUpdate, Placeholder, insert
from monitio.utils.icons import check_icon
from monitio.utils.shorten import LONGEST_TEXT, shorten
from monitio.utils.text import clean_text

logger = logging.getLogger("monitio")


@dataclass(frozen=True)
class JobMessages:
    """Renders and saves the messages of the job ``name``.

    ``is_fallback``: what is saved must not fail, so failures do not collapse.
    """

    name: str
    render: Render
    is_fallback: bool = False

    def notify(
        self,
        job: Job,
        outcome: Outcome,
        *,
        only_new: bool = False,
        trusting: bool = False,
        stored: list[dict[str, Any]] | None = None,
    ) -> list[Message]:
        """Bring every recipient's message to ``outcome``; ``only_new``: of those without one.

        Call it in the transaction that updated the job's row. ``trusting`` skips the query whether
        the users exist: ``IntegrityError`` then, now or at the commit, when one does not.
        ``stored``: the recipients in the row, where they differ from those of ``job``.
        """
        messages: list[Message] = []
        with_steps: defaultdict[Steps, list[Message]] = defaultdict(list)
        before = stored or [dict(entry) for entry in job.recipients]
        for job_recipient in job_recipients(job):
            if only_new and job_recipient.is_marked(NOTIFIED):
                continue
            message, steps = self._notify(job, job_recipient, outcome, trusting)
            if message is not None:
                messages.append(message)
                if steps:
                    with_steps[steps].append(message)
        if job.recipients != before:
            Job.objects.filter(pk=job.pk).update(recipients=job.recipients)
        dispatch.announce(messages)
        for steps, rows in with_steps.items():
            at_start = not outcome.has_ended
            dispatch.deliver(deliveries.create_deliveries(rows, steps, at_start=at_start))
        if outcome.has_ended:
            dispatch.after_commit(lambda: job_ended.send_robust(Job, job=job))
        return messages

    def _notify(
        self, job: Job, job_recipient: JobRecipient, outcome: Outcome, trusting: bool
    ) -> tuple[Message | None, Steps]:
        """The recipient's message as it now is, None when they get none; its deliveries."""
        content = self.content(job_recipient.recipient, outcome)
        save = partial(_save_content, job, job_recipient, content, outcome, trusting)
        repeated = False
        if content is not None and outcome.state == State.FAILED and not self.is_fallback:
            message, repeated = collapse.collapse(
                self.name or job.name, job_recipient, content, save
            )
        else:
            message = save()
        if message is None:
            return None, ()
        job_recipient.mark(NOTIFIED)
        if content is None or repeated:
            return message, ()
        if outcome.has_ended:
            mark, steps = EMAILED, steps_from(content.email, content.email_delay, content.via)
        else:
            mark, steps = START_SENT, steps_from(via=content.start_via)
        if not steps or job_recipient.recipient.is_visitor or job_recipient.is_marked(mark):
            return message, ()
        job_recipient.mark(mark)
        return message, steps

    def content(self, recipient: Recipient, outcome: Outcome) -> MessageContent | None:
        """Rendered in the recipient's language. Errors of ``render`` are logged."""
        with links.for_recipient(recipient.language):
            try:
                return _resolved(self.render(outcome))
            except Exception:
                logger.exception("Rendering %s failed; the default text is used.", self.name)
                return _resolved(NotifyOptions().content(outcome))


def _resolved(content: MessageContent | None) -> MessageContent | None:
    """Lazy texts become text while the recipient's language is active."""
    if content is None:
        return None
    steps_from(content.email, content.email_delay, content.via)
    steps_from(via=content.start_via)
    text = clean_text(content.message)
    if len(text) > LONGEST_TEXT:
        # Cut in its middle, HTML as plain text: a cut would break its tags.
        text = shorten(plain_text(text), LONGEST_TEXT)
    return MessageContent(
        subject=clean_text(content.subject),
        message=text,
        level=int(content.level),
        url=checked_link(str(content.url)) if content.url else None,
        url_label=clean_text(content.url_label),
        email=content.email,
        email_delay=content.email_delay,
        via=content.via,
        start_via=content.start_via,
        extra_tags=clean_text(content.extra_tags),
        category=clean_text(content.category),
        icon=check_icon(content.icon),
    )


def _save_content(
    job: Job,
    job_recipient: JobRecipient,
    content: MessageContent | None,
    outcome: Outcome,
    trusting: bool,
) -> Message | None:
    """The recipient's message as it now reads; None: they get none."""
    ended, was_notified = outcome.has_ended, job_recipient.is_marked(NOTIFIED)
    if was_notified and content is not None:
        message = rewrite_unseen(job, job_recipient, content, ended)
        if message is not None:
            return message
    if (was_notified or not trusting) and job_recipient.message is not None:
        rewrite(job, job_recipient.message, content, ended)
        return job_recipient.message
    if content is None or (was_notified and not ended):
        # Without content, or deleted by its recipient, who is notified of the end alone.
        return None
    if not (trusting or job_recipient.exists()):
        return None
    return write(job, job_recipient, content, ended)


def rewrite_unseen(
    job: Job, job_recipient: JobRecipient, content: MessageContent, ended: bool
) -> Message | None:
    """Rewrite the recipient's message without reading it first.

    None when they have none under their present key, or the database lacks RETURNING.
    """
    changes = {
        **_changes(content, ended),
        "safe": isinstance(content.message, SafeString),
        "version": _NEXT,
        "modified": timezone.now(),
    }
    rows = _REWRITE.run(dispatch.database(), changes, job_of=job.pk, key=job_recipient.key)
    if not rows:
        return None
    message = job_recipient.message = rows[0]
    message.job = job
    return message


_NEXT = F("version") + 1
_REWRITE = CompiledUpdate(
    lambda: Message.objects.filter(
        job_id=Placeholder("job_of", Job._meta.pk),
        recipient_key=Placeholder("key", Message._meta.get_field("recipient_key")),
        hidden=False,
    )
)


def _changes(content: MessageContent | None, ended: bool) -> dict[str, Any]:
    # An end is unread again, whatever its recipient did to the message on the way.
    unread = {"read": False, "seen": False} if ended else {}
    return {**(_fields(content) if content else {}), **unread, "running": not ended}


def rewrite(job: Job, message: Message, content: MessageContent | None, ended: bool) -> None:
    changes = _changes(content, ended)
    Message.objects.filter(pk=message.pk).touch(**changes)
    for name, value in changes.items():
        setattr(message, name, value)
    # The row is locked, so this is what touch() has written.
    message.version += 1


def write(job: Job, job_recipient: JobRecipient, content: MessageContent, ended: bool) -> Message:
    if job_recipient.is_marked(NOTIFIED):
        # Deleted by its recipient, kept until its e-mail is sent: a new one takes its place.
        hidden = Message.objects.filter(job=job, hidden=True, recipient_key=job_recipient.key)
        hidden.update(job=None)
    message = Message(job=job, running=not ended, **_fields(content))
    message.recipient = job_recipient.recipient
    message.prepare()
    insert(message, dispatch.database())
    visitors.merge_after_commit(job_recipient.recipient)
    return message


def _fields(content: MessageContent) -> dict[str, Any]:
    return {
        "subject": shorten(content.subject),
        "message": content.message,
        # A job's message stays until it is deleted, whatever level its author chose.
        "level": content.level
        if is_persistent(content.level)
        else _LEVELS[level_name(content.level)],
        "url": content.url or "",
        "url_label": shorten(content.url_label),
        "extra_tags": content.extra_tags[:255],
        "category": content.category[:100],
        "icon": content.icon,
    }


_LEVELS = {level_name(level): level for level in PERSISTENT_LEVELS}
