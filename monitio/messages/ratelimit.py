"""How often somebody may do something, counted in Django's cache."""

from __future__ import annotations

import hashlib

from django.core.cache import cache

from monitio import scope as scopes
from monitio.utils.outage import Outage

_outage = Outage()


def is_allowed(name: str, times: int, seconds: int) -> bool:
    """Count one more; whether ``name`` has come at most ``times`` in these seconds.

    A cache that is down allows everything: the way out of e-mails must not depend on it.
    """
    name = scopes.key_in(scopes.current(), name)
    key = f"monitio.ratelimit.{hashlib.sha256(name.encode()).hexdigest()[:32]}"
    try:
        cache.add(key, 0, seconds)
        count = int(cache.incr(key))
    except ValueError:
        return True  # it ran out between the two
    except Exception as error:
        _outage.begins("The cache does not answer, so nothing is counted. %s", error)
        return True
    _outage.ends()
    return count <= times
