from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import close_old_connections

from monitio import scope
from monitio.api import prune
from monitio.channels import deliveries
from monitio.conf import DAY
from monitio.digests import sender as digests
from monitio.integrations.base import sweep
from monitio.models import Heartbeat
from monitio.models.heartbeats import WORK

logger = logging.getLogger("monitio")

# What each round does, in this order.
ROUND: tuple[Callable[[], object], ...] = (
    sweep,
    lambda: scope.in_each(deliveries.run_due),
    lambda: scope.in_each(digests.run_due),
)


class Command(BaseCommand):
    help = (
        "Does the periodic work of a site without Celery's beat, until it is stopped: finds tasks "
        "whose worker has died, sends due deliveries and digests, and prunes once a day. Several "
        "may run at the same time."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--interval", type=float, default=30.0, help="seconds between two rounds (default: 30)"
        )
        parser.add_argument("--once", action="store_true", help="one round, for cron")

    def handle(self, *args: Any, **options: Any) -> None:
        stopped = threading.Event()
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: stopped.set())
        pruned_at = float("-inf")
        # With --once, the interval of cron is unknown.
        interval = DAY if options["once"] else options["interval"]
        while True:
            _run(lambda: scope.in_each(lambda: Heartbeat.objects.stamp(WORK, interval)))
            for step in ROUND:
                _run(step)
            if time.monotonic() - pruned_at >= DAY:
                pruned_at = time.monotonic()
                _run(prune_all)
            if options["once"] or stopped.wait(options["interval"]):
                return


def prune_all() -> None:
    scope.in_each(prune)


def _run(step: Callable[[], object]) -> None:
    """An error is logged: the next round comes soon."""
    close_old_connections()
    try:
        step()
    except Exception:
        logger.exception("A step of monitio_work failed; the next round tries again.")
