"""Rate limits, counted in Django's cache."""

from __future__ import annotations

import hashlib

from django.core.cache import cache

from monitio import scope as scopes
from monitio.utils.outage import Outage

_outage = Outage()


def is_allowed(name: str, times: int, seconds: int) -> bool:
    """Count one more attempt; whether ``name`` has had at most ``times`` in these seconds.

    Allows everything while the cache is down: unsubscribing must not depend on it.
    """
    name = scopes.key_in(scopes.current(), name)
    key = f"monitio.ratelimit.{hashlib.sha256(name.encode()).hexdigest()[:32]}"
    try:
        cache.add(key, 0, seconds)
        count = int(cache.incr(key))
    except ValueError:
        return True  # the key expired between the two calls
    except Exception as error:
        _outage.begins("The cache does not answer, so nothing is counted. %s", error)
        return True
    _outage.ends()
    return count <= times
