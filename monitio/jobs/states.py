"""How far a job has come, and which events are news to it.

Events arrive late, twice and shuffled: each has a key, and one that does not raise the row's key
comes too late.
"""

from __future__ import annotations

from typing import Any

from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from monitio.constants import State
from monitio.models import Job
from monitio.utils.compiled_sql import CompiledUpdate, Placeholder

# A failure of an attempt may be premature: the process died, and its retry was published before.
_PHASES = {State.QUEUED: 0, State.STARTED: 1, State.FAILED: 2, State.RETRYING: 3}
# No attempt is ever this late.
FINAL_KEY = 2**40


def rank(state: str, attempt: int | None) -> int:
    """How far a job has come. Rises with attempt and phase; an end of no attempt is above all."""
    return FINAL_KEY if attempt is None else attempt * 4 + _PHASES[state]


def is_newer(key: int | Placeholder) -> Q:
    """Whatever comes later than the row, and whatever is heard of a job that was given up."""
    return Q(rank__lt=key) | Q(state=State.LOST, rank__lte=key)


def transition(state: str, attempt: int | None) -> tuple[Q | None, dict[str, Any]]:
    """When an event is news (None: when its key is higher), and what it changes."""
    ended = state in State.ENDED
    changes: dict[str, Any] = {
        "state": state,
        "error": "",
        "finished_at": timezone.now() if ended else None,
    }
    if state == State.LOST:
        return Q(state=State.STARTED), changes
    changes["rank"] = rank(state, attempt)
    if attempt is not None:
        changes["attempt"] = attempt
    return None, changes


# A job that no worker has begun, or begun again.
WAITS = Q(state__in=(State.QUEUED, State.RETRYING))
# What a new attempt begins with.
RESET_PROGRESS = {"completed": None, "total": None, "status_text": "", "rate": None}
# The time of the first start is kept, and at a success all is done, whatever bar was shown last.
KEEP_STARTED_AT = Coalesce(F("started_at"), Placeholder("now", Job._meta.get_field("started_at")))
FILL_BAR = Coalesce(F("total"), F("completed"))
ADVANCE = CompiledUpdate(
    lambda: Job.objects.filter(
        is_newer(Placeholder("below", Job._meta.get_field("rank"))),
        task_id=Placeholder("task", Job._meta.get_field("task_id")),
        scope=Placeholder("scope", Job._meta.get_field("scope")),
    )
)
