"""Signals for a site's own code. Receivers run after commit; what they raise is logged."""

from __future__ import annotations

from django.dispatch import Signal

# sender: the Job class; job: the row as it ended. Sent once per end.
job_ended = Signal()
