"""A process of a site that sends deliveries."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import Any

from tests.support.peers import serve, set_up

set_up()

from django.core.management import call_command
from django.utils import timezone

from monitio.channels import deliveries, destinations
from monitio.channels.policy import DeliveryPolicy
from monitio.dispatch import hooks
from monitio.models import Delivery, Message
from tests.support import people

hooks.deliver = None


def clear() -> None:
    call_command("flush", verbosity=0, interactive=False)


def prepare(count: int, channel: str, address: Any) -> None:
    """Create messages with pending deliveries."""
    user = people.user()
    if address is not None:
        destinations.add(user, channel, address)
    rows = [Message(user=user, level=120, message=f"text {number}") for number in range(count)]
    for row in rows:
        row.save()
    deliveries.create_deliveries(rows, ((channel, DeliveryPolicy()),))


def send_all(moment: float, die_at: int = 0) -> int:
    """Try every delivery in random order; returns how many this process has sent.

    Kills itself after the server has accepted number ``die_at``, before that is stored.
    """
    if die_at:
        _die_at(die_at)
    pks = list(Delivery.objects.values_list("pk", flat=True))
    random.shuffle(pks)
    time.sleep(max(0.0, moment - time.monotonic()))
    return sum(deliveries.send(pk) for pk in pks)


def _die_at(number: int) -> None:
    settle = deliveries._settle
    calls = 0

    def settle_or_die(*args: Any, **kwargs: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
        settle(*args, **kwargs)

    deliveries._settle = settle_or_die


def end_leases() -> int:
    """Let the lease of every delivery expire."""
    return Delivery.objects.filter(state="claimed").update(due_at=timezone.now())


def states() -> list[str]:
    return list(Delivery.objects.values_list("state", flat=True))


if __name__ == "__main__":
    functions = (clear, prepare, send_all, end_leases, states)
    serve({function.__name__: function for function in functions})
