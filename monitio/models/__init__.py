"""Messages, jobs, deliveries, destinations, digests, and users' preferences."""

from __future__ import annotations

import warnings
from typing import Any

from monitio.models.blocks import BlockedSender
from monitio.models.deliveries import Delivery
from monitio.models.destinations import Destination
from monitio.models.digests import Digest
from monitio.models.files import JobFile
from monitio.models.heartbeats import Heartbeat
from monitio.models.jobs import Job, JobQuerySet
from monitio.models.messages import Message
from monitio.models.notes import LastEvent, Repeat, VisitorLogin
from monitio.models.preferences import WEEKDAYS, CategoryChoice, Preferences, validate_time_zone
from monitio.models.rows import delete_along
from monitio.models.runs import JobRun
from monitio.models.texts import plain_text, validate_url
from monitio.utils.text import check_url

__all__ = [
    "WEEKDAYS",
    "BlockedSender",
    "CategoryChoice",
    "Delivery",
    "Destination",
    "Digest",
    "Heartbeat",
    "Job",
    "JobFile",
    "JobQuerySet",
    "JobRun",
    "LastEvent",
    "Message",
    "Preferences",
    "Repeat",
    "VisitorLogin",
    "check_url",
    "delete_along",
    "plain_text",
    "validate_time_zone",
    "validate_url",
]


def __getattr__(name: str) -> Any:
    if name == "Monit":
        warnings.warn(
            "monitio.models.Monit is now monitio.models.Message.", DeprecationWarning, stacklevel=2
        )
        return Message
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
