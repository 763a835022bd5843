"""The language of a user's last request: that of lazy texts, if they have not chosen one."""

from __future__ import annotations

import logging
import time
from contextlib import nullcontext

from django.conf import settings as django_settings
from django.db import DatabaseError, connections, router, transaction
from django.middleware.locale import LocaleMiddleware

from monitio.models import Preferences
from monitio.recipients import Recipient
from monitio.utils.database import lock_timeout
from monitio.utils.middleware import has_middleware
from monitio.utils.outage import one_line

logger = logging.getLogger("monitio")

# Seconds after which a process compares a user's language with the stored one again: another
# process may have stored that of another browser.
COMPARE_AFTER = 600.0
CAPACITY = 10_000

# By ``Recipient.key``: a stored language, and when it is compared again.
_noted: dict[str, tuple[str, float]] = {}


def note(recipient: Recipient) -> None:
    """Store the language of the request of this recipient, if another one is stored.

    For requests of monitio's own. One query for each user in ten minutes and process, none on a
    site with one language; one more where the language has changed. An error is logged.
    """
    language, now = recipient.language, time.monotonic()
    # A middleware of the site's own may choose it.
    has_several = (
        language != django_settings.LANGUAGE_CODE or _noted or has_middleware(LocaleMiddleware)
    )
    if recipient.is_visitor or not (language and has_several):
        return
    noted, until = _noted.get(recipient.key, ("", 0.0))
    if noted == language and now < until:
        return
    try:
        _store(recipient)
    except DatabaseError as error:
        logger.info("The language of a user is not stored: %s", one_line(error))
        return
    if len(_noted) >= CAPACITY:
        _noted.clear()
    _noted[recipient.key] = language, now + COMPARE_AFTER


def _store(recipient: Recipient) -> None:
    alias, language = router.db_for_write(Preferences), recipient.language
    rows = Preferences.objects.here().filter(user=recipient.user_id)
    # The caller's own transaction stays usable.
    with transaction.atomic(using=alias) if connections[alias].in_atomic_block else nullcontext():
        if rows.values_list("last_language", flat=True).first() == language:
            return
        with lock_timeout(alias):
            if not rows.update(last_language=language):
                row = Preferences(user_id=recipient.user_id, last_language=language)
                Preferences.objects.bulk_create([row], ignore_conflicts=True)


def forget() -> None:
    """Compare every user's language again."""
    _noted.clear()
