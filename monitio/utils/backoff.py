"""Pauses between attempts to reach a server that is away."""

from __future__ import annotations

import random

# Seconds, at most.
MAX_BACKOFF = 5.0


def backoff(failures: int) -> float:
    """Seconds before the next attempt; random, so that not all processes come at once."""
    longest = min(MAX_BACKOFF, 0.2 * 2.0 ** min(failures, 8))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311
