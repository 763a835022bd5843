"""What is stored about a user: copied for them, or deleted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import transaction
from django.db.models import Model, Q, QuerySet

from monitio import dispatch
from monitio.channels import destinations
from monitio.jobs.files import delete_files
from monitio.models import (
    BlockedSender,
    CategoryChoice,
    Delivery,
    Destination,
    Digest,
    Job,
    JobFile,
    Message,
    Preferences,
    VisitorLogin,
)
from monitio.recipients import Recipient

# Rows in one statement.
BATCH = 500
# Of no use to the user: what other columns repeat, and internals. ``session`` and ``token`` are all
# that access to a visitor's messages needs, and ``address`` may be all that it takes to write to
# the user.
INTERNAL = frozenset(
    "scope recipient_key version seq rank claim batch key safe running hidden run arguments "
    "recipients session token address".split()
)
# What the recipient of a message has done with it.
OF_RECIPIENT = frozenset({"read", "seen"})
# The text of an exception, which may show what is others'. Its user has read another.
OF_STAFF = frozenset({"error"})


def export(recipient: Recipient) -> dict[str, Any]:
    user = recipient.user_id
    deliveries: dict[Any, list[dict[str, Any]]] = {}
    for row in Delivery.objects.here().filter(message__user=user).iterator():
        deliveries.setdefault(row.message_id, []).append(fields_of(row))
    own = Message.objects.of(recipient).order_by("pk").iterator()
    jobs = Job.objects.here().filter(messages__user=user).distinct()
    return {
        "messages": [fields_of(row) | {"deliveries": deliveries.get(row.pk, [])} for row in own],
        "sent": [
            fields_of(row, without=OF_RECIPIENT)
            for row in Message.objects.here().filter(from_user=user).iterator()
        ],
        "jobs": [
            fields_of(job, without=OF_STAFF)
            | {"files": [file.name for file in job.attachments.all()]}
            for job in jobs.order_by("pk").prefetch_related("attachments")
        ],
        **{
            name: [
                fields_of(row)
                | ({"server": destinations.server(row)} if isinstance(row, Destination) else {})
                for row in rows.order_by("pk")
            ]
            for name, rows in _own(user)
        },
    }


def _own(user: Any) -> Iterator[tuple[str, QuerySet[Any]]]:
    """The tables of which each row is one user's."""
    here = Preferences.objects.here().filter(user=user)
    yield "digests", Digest.objects.here().filter(user=user)
    yield "categories", CategoryChoice.objects.filter(preferences__in=here)
    yield "preferences", here
    yield "destinations", Destination.objects.here().filter(user=user)
    yield "blocked_senders", BlockedSender.objects.here().filter(user=user)
    yield "visitor_logins", VisitorLogin.objects.here().filter(user=user)


def fields_of(row: Model, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The columns that mean something to a person, but those ``without``."""
    return {
        field.attname: getattr(row, field.attname)
        for field in row._meta.concrete_fields
        if field.name not in INTERNAL | without
    }


def erase(recipient: Recipient) -> dict[str, int]:
    user, deleted = recipient.user_id, {"messages": 0}
    own = Message.objects.of(recipient)
    jobs = set(own.exclude(job=None).values_list("job", flat=True))
    # Batches: a transaction of a million rows would block those that write.
    while pks := list(own.order_by().values_list("pk", flat=True)[:BATCH]):
        with transaction.atomic(using=dispatch.database()):
            Delivery.objects.filter(message__in=pks).delete()
            deleted["messages"] += (
                Message.objects.filter(pk__in=pks).delete()[1].get(Message._meta.label, 0)
            )
    deleted["jobs"] = _erase_jobs(recipient, jobs)
    deleted["sent"] = Message.objects.here().filter(from_user=user).update(from_user=None)
    for name, rows in _own(user):
        deleted[name] = rows.delete()[0]
    blocks = BlockedSender.objects.here().filter(Q(user=user) | Q(sender=user))
    deleted["blocked_senders"] += blocks.delete()[0]
    dispatch.announce_news([recipient])
    return deleted


def _erase_jobs(recipient: Recipient, pks: set[int]) -> int:
    """Delete those that no one else follows, with their files; the number of jobs."""
    count = 0
    for pk in pks:
        job = Job.objects.filter(pk=pk).first()
        if job is None:
            continue
        others = [
            entry for entry in job.recipients if Recipient.from_dict(entry).key != recipient.key
        ]
        if others or Message.objects.filter(job=job).exists():
            Job.objects.filter(pk=pk).update(recipients=others)
            continue
        delete_files(JobFile.objects.filter(job=job))
        job.delete()
        count += 1
    return count
