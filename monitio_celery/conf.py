"""Settings of the Celery layer: ``MONITIO_CELERY_*``, read on each access."""

from __future__ import annotations

import signal
from typing import Any

from monitio.conf import SECONDS, TEXT, Rule, Settings, optional


class CelerySettings(Settings):
    """The site's settings, with defaults. ``CELERY_NAME`` reads ``MONITIO_CELERY_NAME``."""

    PREFIX = "MONITIO_CELERY_"
    FOREIGN = ()

    DEFAULTS: dict[str, Any] = {
        # The workers' heartbeat interval, in seconds.
        "CELERY_ALIVE_INTERVAL": 30,
        # Seconds without a heartbeat after which a running task is considered interrupted;
        # `lost_after=` of @notify_user overrides it for one task.
        "CELERY_LOST_AFTER": 300,
        # The same for a group, whose members may wait in the queue for long.
        "CELERY_GROUP_LOST_AFTER": 24 * 60 * 60,
        # Seconds a task may wait for a worker, past its ETA or expiry if it has one, until it
        # is considered interrupted: its queue may be lost. None: no limit.
        "CELERY_WAITING_LOST_AFTER": 24 * 60 * 60,
        # The intervals of the tasks in beat_schedule(), in seconds.
        "CELERY_SWEEP_INTERVAL": 60,
        "CELERY_DIGEST_INTERVAL": 60,
        "CELERY_PRUNE_INTERVAL": 24 * 60 * 60,
        # The signal that stops the process of a cancelled task; None: the task stops when it checks
        # cancelled(). SIGUSR1 raises SoftTimeLimitExceeded in it (prefork).
        "CELERY_CANCEL_SIGNAL": "SIGTERM",
        # Queue for monitio's own tasks; None: Celery's default queue.
        "CELERY_QUEUE": None,
    }
    RULES: dict[str, Rule] = {
        "CELERY_ALIVE_INTERVAL": SECONDS,
        "CELERY_LOST_AFTER": SECONDS,
        "CELERY_GROUP_LOST_AFTER": SECONDS,
        "CELERY_WAITING_LOST_AFTER": optional(SECONDS),
        "CELERY_SWEEP_INTERVAL": SECONDS,
        "CELERY_DIGEST_INTERVAL": SECONDS,
        "CELERY_PRUNE_INTERVAL": SECONDS,
        "CELERY_CANCEL_SIGNAL": optional(
            Rule(
                'the name of a signal, for example "SIGUSR1"',
                lambda value: isinstance(value, str) and value in signal.Signals.__members__,
            )
        ),
        "CELERY_QUEUE": optional(TEXT),
    }


settings = CelerySettings()
