"""Beat entries, as plain dictionaries: they work with and without django-celery-beat."""

from __future__ import annotations

from typing import Any

from monitio_celery.conf import settings


def beat_schedule() -> dict[str, dict[str, Any]]:
    """monitio's own entries: ``app.conf.beat_schedule |= beat_schedule()``."""
    sweep, prune = settings.CELERY_SWEEP_INTERVAL, settings.CELERY_PRUNE_INTERVAL
    return {
        "monitio-sweep-jobs": _entry("sweep_jobs", sweep),
        "monitio-deliver-due": _entry("deliver_due", sweep),
        "monitio-send-digests": _entry("send_digests", settings.CELERY_DIGEST_INTERVAL),
        "monitio-prune": _entry("prune", prune),
    }


def _entry(task: str, seconds: float) -> dict[str, Any]:
    # After a whole interval the next run is due.
    options: dict[str, Any] = {"expires": float(seconds)}
    if settings.CELERY_QUEUE:
        options["queue"] = settings.CELERY_QUEUE
    return {
        "task": f"monitio_celery.tasks.{task}",
        "schedule": float(seconds),
        "options": options,
    }
