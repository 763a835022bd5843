"""Settings of the Celery layer: ``MONITIO_CELERY_*``, read on each access."""

from __future__ import annotations

from typing import Any

from monitio.conf import Settings


class CelerySettings(Settings):
    """What the site says, or a default that works. ``NAME`` reads ``MONITIO_CELERY_NAME``."""

    DEFAULTS: dict[str, Any] = {
        # A worker stamps its running jobs as alive this often, in seconds.
        "CELERY_ALIVE_INTERVAL": 30,
        # Seconds a running task may be silent before it counts as interrupted; `lost_after=` of
        # @notify_user says otherwise for one task.
        "CELERY_LOST_AFTER": 300,
        # The same for a group: its parts may wait in the queue for long.
        "CELERY_GROUP_LOST_AFTER": 24 * 60 * 60,
        # Seconds between two runs of the tasks in beat_schedule().
        "CELERY_SWEEP_INTERVAL": 60,
        "CELERY_DIGEST_INTERVAL": 60,
        "CELERY_PRUNE_INTERVAL": 24 * 60 * 60,
        # What stops the process of a task that its owner cancels; None: the task is only asked to
        # stop. SIGUSR1 raises SoftTimeLimitExceeded in it (prefork).
        "CELERY_CANCEL_SIGNAL": "SIGTERM",
        # Queue for monitio's own tasks; None: Celery's default queue.
        "CELERY_QUEUE": None,
    }


settings = CelerySettings()
