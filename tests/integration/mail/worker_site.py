"""The web process of a site whose e-mails Celery's workers send.

Tests share the beats and workers, so each names its users by its own prefix.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

from tests.support.peers import serve, set_up

set_up()

from django.contrib.auth import get_user_model
from django.utils import timezone

from monitio.channels import deliveries
from monitio.digests import sender as digests
from monitio.models import Delivery, Digest, Message, Preferences
from monitio_celery.tasks import deliver, send_digest_set
from tests.integration.celery.project.app import app
from tests.integration.mail import in_workers  # noqa: F401 - sets of five here too

app.set_current()


def prepare(name: str, users: int, messages: int) -> list[str]:
    """Create users with unread messages; the messages' texts."""
    model: Any = get_user_model()
    model.objects.bulk_create(
        [model(username=f"{name}{n}", email=f"{name}{n}@example.com") for n in range(users)]
    )
    people = model.objects.filter(username__startswith=name)
    rows = [
        Message(user=who, level=120, message=f"<user {who}-{number}>")
        for who in people
        for number in range(messages)
    ]
    Message.objects.bulk_create(rows)
    return [row.message for row in rows]


def want_digests(name: str) -> None:
    """Make the users' hourly digests due."""
    now = timezone.now()
    people = get_user_model()._default_manager.filter(username__startswith=name)
    Preferences.objects.bulk_create(
        Preferences(
            user=who, frequency="hourly", digests_since=now - timedelta(hours=1), next_digest_at=now
        )
        for who in people
    )


def give_twice(name: str) -> int:
    """Send each digest task twice, as when it is redelivered; the number of sets."""
    want_digests(name)
    claims = list(digests.claim_batches())
    for claim in claims:
        # Adjacent in the queue, so that two workers get them at the same time.
        send_digest_set.delay(claim)
        send_digest_set.delay(claim)
    return len(claims)


def plan_mail(name: str, queue: str) -> int:
    """Create an e-mail for the workers of this queue to send; its delivery."""
    (delivery,) = deliveries.create_deliveries(
        list(Message.objects.filter(user__username__startswith=name))
    )
    deliver.apply_async((delivery.pk,), queue=queue)
    return int(delivery.pk)


def claimed(name: str) -> int:
    return _preferences(name).exclude(claim="").count()


def end_leases(name: str) -> None:
    """Let every lease of these users expire."""
    now = timezone.now()
    _preferences(name).exclude(claim="").update(next_digest_at=now)
    mine = Delivery.objects.filter(message__user__username__startswith=name)
    mine.filter(state="claimed").update(due_at=now)


def end_pauses(name: str) -> None:
    """Make the next attempts due."""
    waiting = _preferences(name).filter(claim="", user__monitio_digests__state="pending")
    unserved = _preferences(name).filter(claim="", user__monitio_digests=None)
    for rows in (waiting, unserved):
        rows.update(next_digest_at=timezone.now())


def states(name: str) -> dict[str, int]:
    mine = Digest.objects.filter(user__username__startswith=name)
    return Counter(mine.values_list("state", flat=True))


def delivery_state(pk: int) -> str:
    return Delivery.objects.get(pk=pk).state


def _preferences(name: str) -> Any:
    return Preferences.objects.filter(user__username__startswith=name)


if __name__ == "__main__":
    functions = (
        *(prepare, want_digests, give_twice, plan_mail, claimed, end_leases, end_pauses),
        *(states, delivery_state),
    )
    serve({function.__name__: function for function in functions})
