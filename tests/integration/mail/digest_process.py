"""A process of a site that sends digests by SMTP."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from datetime import timedelta
from typing import Any

from tests.support.peers import serve, set_up

set_up()

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.utils import timezone

from monitio.digests import sender as digests
from monitio.models import Digest, Message, Preferences
from monitio.models.schedule import now

digests.BATCH_SIZE = 5
HOUR = timedelta(hours=1)


def clear() -> None:
    call_command("flush", verbosity=0, interactive=False)


def prepare(users: int, messages: int) -> None:
    """Create users whose hourly digest is due, each with unread messages."""
    model: Any = get_user_model()
    model.objects.bulk_create(
        [model(username=f"user{n}", email=f"user{n}@example.com") for n in range(users)]
    )
    moment = timezone.now()
    rows = [
        Preferences(
            user=user, frequency="hourly", digests_since=moment - HOUR, next_digest_at=moment
        )
        for user in model.objects.all()
    ]
    Preferences.objects.bulk_create(rows)
    write("early", messages)


def write(name: str, times: int) -> int:
    """Write ``times`` messages to each user; returns how many were written."""
    users = list(get_user_model()._default_manager.all())
    for number in range(times):
        for user in users:
            Message(user=user, level=120, message=f"<{user}-{name}-{number}>").save()
    return times * len(users)


def send_all(moment: float, hours: int = 0, die_at: int = 0) -> int:
    """Act as beat and worker until no user is due, ``hours`` ahead; returns the digests sent.

    Kills itself after the server has accepted number ``die_at``, before that is stored.
    """
    if die_at:
        _die_after(die_at)
    time.sleep(max(0.0, moment - time.monotonic()))
    sent = 0
    while claims := list(digests.claim_batches(clock=lambda: now() + hours * HOUR)):
        sent += sum(
            digests.send_batch(claim, lambda: now() + hours * HOUR).sent for claim in claims
        )
    return sent


def hand_out(moment: float) -> list[str]:
    """Act as beat: claim the sets for workers."""
    time.sleep(max(0.0, moment - time.monotonic()))
    return list(digests.claim_batches())


def send_sets(moment: float, claims: list[str]) -> int:
    """Act as a worker: send these sets in random order."""
    random.shuffle(claims)
    time.sleep(max(0.0, moment - time.monotonic()))
    return sum(digests.send_batch(claim).sent for claim in claims)


def _die_after(number: int) -> None:
    send = digests.send
    calls = 0

    def send_and_die(mail: Any) -> None:
        nonlocal calls
        calls += 1
        send(mail)
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)

    digests.send = send_and_die


def states() -> dict[str, int]:
    return Counter(Digest.objects.values_list("state", flat=True))


def texts() -> list[str]:
    return list(Message.objects.values_list("message", flat=True))


if __name__ == "__main__":
    functions = (clear, prepare, write, send_all, hand_out, send_sets, states, texts)
    serve({function.__name__: function for function in functions})
