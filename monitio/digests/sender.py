"""Digests: one e-mail with the unread messages of a user, once in each of their periods.

Users are due at ``Preferences.next_digest_at``. Due users are claimed in batches, which moves that
moment to the end of the worker's lease: no other worker sees them, and the users of a worker that
died are due again by themselves. In one transaction a user, the messages are marked with the
digest's key and the digest of the period is written; it is sent outside. When a worker dies after
the send and before it settled the digest, the send is repeated with the same messages and
Message-ID: at least once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

from django.core.mail import EmailMultiAlternatives
from django.db import connections, router, transaction
from django.db.models import Q

from monitio.channels.attempts import Result, attempt
from monitio.channels.destinations import disabled_addresses
from monitio.channels.email import addresses
from monitio.channels.email.smtp import send, shared_connection
from monitio.conf import settings
from monitio.digests.email import compose_digest
from monitio.digests.selection import messages_of, undigested
from monitio.exceptions import PermanentFailure, Skipped
from monitio.models import Digest, Preferences
from monitio.models.schedule import Frequency, as_stored, now

logger = logging.getLogger("monitio")

Clock = Callable[[], datetime]
State = Digest.State
UNFINISHED = (State.PENDING, State.CLAIMED)
# Users in one batch, which one worker serves.
BATCH_SIZE = 200
# Batches claimed at once, for 100,000 users; the next tick claims the rest.
BATCHES = 500
# After these the mail server counts as down: the rest of the batch waits.
FAILURES_IN_A_ROW = 3
PAUSE = timedelta(minutes=1)


@dataclass
class DigestStats:
    """The number of digests by their result."""

    sent: int = 0
    failed: int = 0
    # To be retried.
    waiting: int = 0
    # Batches that were released because the mail server is down.
    given_back: int = 0

    def __add__(self, other: DigestStats) -> DigestStats:
        sums = {name: count + getattr(other, name) for name, count in asdict(self).items()}
        return DigestStats(**sums)


def claim_batches(sets: int = BATCHES, clock: Clock = now) -> Iterator[str]:
    """Claim the due users, a batch at a time, for ``send_batch``. One query when none is due."""
    for _ in range(sets):
        claim = _claim_set(clock())
        if claim is None:
            return
        yield claim


def release(claim: str, clock: Clock = now) -> None:
    """Release a batch: users who were not served yet are due after ``PAUSE``."""
    moment = as_stored(clock() + PAUSE)
    Preferences.objects.here().filter(claim=claim).update(claim="", next_digest_at=moment)


def send_batch(claim: str, clock: Clock = now) -> DigestStats:
    """Send the digests of a claimed batch, except of users another process has claimed since."""
    with shared_connection():
        return _BatchSender(claim, clock).serve()


def run_due(sets: int = BATCHES, clock: Clock = now) -> DigestStats:
    """Send the due digests in this process. For sites without a task queue.

    Stops when the mail server is down: each attempt may wait for it.
    """
    tally = DigestStats()
    for claim in claim_batches(sets, clock):
        tally += send_batch(claim, clock)
        if tally.given_back:
            break
    return tally


def send_again(failed: Iterable[Digest], clock: Clock = now) -> int:
    """Retry failed digests with the next run, except of users without digests; their number."""
    rows = Digest.objects.here().filter(pk__in=[digest.pk for digest in failed], state=State.FAILED)
    unwanted = Preferences.objects.here().filter(frequency=Frequency.NEVER)
    rows = rows.exclude(user__in=unwanted.values("user"))
    pks = dict(rows.values_list("pk", "user"))
    Digest.objects.filter(pk__in=pks).update(state=State.PENDING, attempts=0, error="")
    users = Preferences.objects.here().filter(user__in=pks.values(), claim="")
    users.update(next_digest_at=as_stored(clock()))
    return len(pks)


def due(clock: Clock = now) -> Iterator[Preferences]:
    """The users whose digest is due, in bounded memory."""
    rows = Preferences.objects.here().filter(next_digest_at__lte=as_stored(clock()))
    related = rows.select_related("user").prefetch_related("choices").order_by("pk")
    return related.iterator(chunk_size=BATCH_SIZE)


def preview(row: Preferences) -> EmailMultiAlternatives | None:
    """The digest as it would be now; None without messages. Changes nothing.

    Raises ``PermanentFailure`` when the user cannot be e-mailed.
    """
    return compose_digest(row, undigested(row), "preview")


def _claim_set(moment: datetime) -> str | None:
    alias = router.db_for_write(Preferences)
    rows = Preferences.objects.using(alias).here().filter(next_digest_at__lte=as_stored(moment))
    first = rows.order_by("next_digest_at").values_list("pk", flat=True)
    if not first[:1]:
        return None
    if not connections[alias].features.has_select_for_update_skip_locked:
        return _mark(rows, list(first[:BATCH_SIZE]), moment)
    with transaction.atomic(using=alias):
        return _mark(rows, list(first.select_for_update(skip_locked=True)[:BATCH_SIZE]), moment)


def _mark(rows: Any, pks: list[int], moment: datetime) -> str | None:
    claim = uuid4().hex
    marked = rows.filter(pk__in=pks).update(claim=claim, next_digest_at=_lease(moment))
    return claim if marked else None


def _lease(moment: datetime) -> datetime:
    """When a claim made at this moment expires."""
    return as_stored(moment + timedelta(seconds=settings.DIGEST_LEASE))


class _BatchSender:
    """Sends the digests of one batch."""

    def __init__(self, claim: str, clock: Clock) -> None:
        self.claim, self.clock = claim, clock
        self.tally = DigestStats()

    def serve(self) -> DigestStats:
        in_a_row = 0
        users = Preferences.objects.here().filter(claim=self.claim).order_by("pk")
        related = users.select_related("user").prefetch_related("choices", disabled_addresses())
        for row in related:
            waiting = self.tally.waiting
            try:
                self._send_for_user(row)
            except Exception:
                # One user must not stop the others; this one is due again after the lease.
                logger.exception("The digest of preferences %s failed.", row.pk)
            in_a_row = in_a_row + 1 if self.tally.waiting > waiting else 0
            if in_a_row == FAILURES_IN_A_ROW:
                release(self.claim, self.clock)
                self.tally.given_back += 1
                break
        return self.tally

    def _send_for_user(self, row: Preferences) -> None:
        moment = self.clock()
        held_until = row.schedule.held_until(moment)
        unfinished = self._take(row, moment, gather=held_until == moment)
        if unfinished is None:
            return
        if held_until > moment:
            self._settle(row, held_until)
            return
        for digest in unfinished:
            result = self._send(row, digest)
            if result.state == State.PENDING:
                self._settle(row, self.clock() + result.wait)
                return
        self._settle(row, row.schedule.next(self.clock()))

    def _take(self, row: Preferences, moment: datetime, *, gather: bool) -> list[Digest] | None:
        """The digests to send to a user; None when another process has claimed the user since."""
        batch = uuid4().hex
        with transaction.atomic(using=router.db_for_write(Preferences)):
            # A write first: it decides, and SQLite needs it so. A change of the preferences since
            # the row was read has ended the claim.
            if not (
                Preferences.objects.filter(pk=row.pk, claim=self.claim).update(
                    claim=batch, next_digest_at=_lease(moment)
                )
            ):
                return None
            row.claim = batch
            return _gather(row, moment) if gather and _can_be_mailed(row) else []

    def _send(self, row: Preferences, digest: Digest) -> Result:
        rows = Digest.objects.filter(pk=digest.pk)
        if digest.batch != row.claim:
            # Another process has tried before, and may have died.
            rows.unfinished().claim()
            digest.attempts += 1
        result = attempt(digest, partial(_compose_and_send, row, digest))
        if result.state != State.SENT:
            # A sent one is settled whatever state it was given meanwhile.
            rows = rows.unfinished()
        rows.settle(result.state, result.reason, as_stored(self.clock()))
        self.tally.sent += result.state == State.SENT
        self.tally.failed += result.state == State.FAILED
        self.tally.waiting += result.state == State.PENDING
        return result

    def _settle(self, row: Preferences, moment: datetime) -> None:
        """Plan the next digest, unless the user was claimed since or changed their preferences."""
        following = as_stored(row.schedule.held_until(moment)) if row.uses_digests else None
        Preferences.objects.filter(pk=row.pk, claim=row.claim).update(
            claim="", next_digest_at=following
        )


def _compose_and_send(row: Preferences, digest: Digest) -> None:
    mail = compose_digest(row, messages_of(row, digest), digest.batch)
    if mail is None:
        raise Skipped("Everything was read.")
    send(mail)


def _can_be_mailed(row: Preferences) -> bool:
    """Without an address no digest is written, which could only fail; the messages wait."""
    try:
        return bool(addresses.email_address(row.user))
    except (PermanentFailure, Skipped):
        return False


def _gather(row: Preferences, moment: datetime) -> list[Digest]:
    """The user's unfinished digests, with that of the current period if there are messages for it.

    To be called in the transaction that claimed the user.
    """
    period = row.schedule.period(moment)
    digests = Digest.objects.filter(user=row.user_id, scope=row.scope)
    known = list(digests.filter(Q(period=period) | Q(state__in=UNFINISHED)).order_by("pk"))
    unfinished = [digest for digest in known if digest.state in UNFINISHED]
    if any(digest.period == period for digest in known) or not (
        undigested(row).update(digest=row.claim)
    ):
        return unfinished
    new = Digest(user_id=row.user_id, scope=row.scope, period=period, batch=row.claim)
    new.state, new.attempts = State.CLAIMED, 1
    new.save(force_insert=True)
    return [*unfinished, new]
