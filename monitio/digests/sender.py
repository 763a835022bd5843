"""Digests: one e-mail with the unread messages of a user, once in each of their periods.

Users are due at ``Preferences.next_digest_at``. Due users are claimed in batches, which moves that
moment to the end of the worker's lease: no other worker sees them, and the users of a worker that
died are due again by themselves. In one transaction for some users of a batch, their messages are
marked and read, and the digests of the period written; they are sent outside, each claimed before
and settled after its send. When a worker dies in between, that one send is repeated with the same
messages and Message-ID: at least once.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

from django.core.mail import EmailMultiAlternatives
from django.db import connections, router, transaction
from django.db.models import Exists, F, Q

from monitio.channels.attempts import attempt
from monitio.channels.destinations import disabled_addresses
from monitio.channels.email import addresses
from monitio.channels.email.smtp import send, shared_connection
from monitio.conf import settings
from monitio.digests.email import compose_digest
from monitio.digests.selection import messages_of, newest_of, undigested
from monitio.exceptions import PermanentFailure, Skipped
from monitio.models import Digest, Message, Preferences
from monitio.models.digests import DigestQuerySet
from monitio.models.schedule import Frequency, as_stored, now
from monitio.utils.compiled_sql import CompiledUpdate, Placeholder

logger = logging.getLogger("monitio")

Clock = Callable[[], datetime]
State = Digest.State
UNFINISHED = (State.PENDING, State.CLAIMED)
# Users in one batch, which one worker serves.
BATCH_SIZE = 200
# Users whose messages are marked and read together. What they change from then on ends their claim.
TAKEN_AT_ONCE = 50
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


def claim_batches(most: int = BATCHES, clock: Clock = now) -> Iterator[str]:
    """Claim the due users, a batch at a time, for ``send_batch``. One query when none is due."""
    for _ in range(most):
        claim = _claim_batch(clock())
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


def run_due(most: int = BATCHES, clock: Clock = now) -> DigestStats:
    """Send the due digests in this process. For sites without a task queue.

    Stops when the mail server is down: each attempt may wait for it.
    """
    tally = DigestStats()
    for claim in claim_batches(most, clock):
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
    return compose_digest(row, partial(undigested, [row]), "preview")


def _claim_batch(moment: datetime) -> str | None:
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


@dataclass
class _Taken:
    """Users of a batch under a claim of their own; by user, the digests to send and messages."""

    claim: str
    lease: datetime
    rows: Sequence[Preferences] = ()
    digests: defaultdict[Any, list[Digest]] = field(default_factory=lambda: defaultdict(list))
    newest: dict[Any, list[Message]] = field(default_factory=dict)


class _BatchSender:
    """Sends the digests of one batch."""

    def __init__(self, claim: str, clock: Clock) -> None:
        self.claim, self.clock = claim, clock
        self.tally = DigestStats()
        self.failures_in_a_row = 0

    def serve(self) -> DigestStats:
        users = Preferences.objects.here().filter(claim=self.claim).order_by("pk")
        rows = list(users.select_related("user").prefetch_related("choices", disabled_addresses()))
        for start in range(0, len(rows), TAKEN_AT_ONCE):
            for taken in self._take(rows[start : start + TAKEN_AT_ONCE]):
                self._serve(taken)
                if self.failures_in_a_row >= FAILURES_IN_A_ROW:
                    release(taken.claim, self.clock)
                    release(self.claim, self.clock)
                    self.tally.given_back += 1
                    return self.tally
        return self.tally

    def _take(self, rows: Sequence[Preferences]) -> Iterator[_Taken]:
        """These users together; each alone where that fails. One must not stop the others."""
        try:
            yield self._gather(rows)
        except Exception:
            if len(rows) > 1:
                for row in rows:
                    yield from self._take([row])
            else:
                # The user is due again after the lease.
                logger.exception("The digest of preferences %s failed.", rows[0].pk)

    def _gather(self, rows: Sequence[Preferences]) -> _Taken:
        """Mark and read the messages of these users, and write the digests of their periods.

        Without the users whom another process has claimed since, and those who have changed their
        preferences since the rows were read.
        """
        moment, claim = self.clock(), uuid4().hex[:12]
        taken = _Taken(claim, moment + timedelta(seconds=settings.DIGEST_LEASE))
        with transaction.atomic(using=router.db_for_write(Preferences)):
            # A write first: it decides, and SQLite needs it so.
            mine = Preferences.objects.filter(pk__in=[row.pk for row in rows], claim=self.claim)
            count = mine.update(claim=claim, next_digest_at=as_stored(taken.lease))
            if count < len(rows):
                pks = set(Preferences.objects.filter(claim=claim).values_list("pk", flat=True))
                rows = [row for row in rows if row.pk in pks]
            taken.rows = rows
            period_of = {
                row.user_id: row.schedule.period(moment)
                for row in rows
                if row.schedule.held_until(moment) == moment and _can_be_mailed(row)
            }
            known = Q(period__in=set(period_of.values())) | Q(state__in=UNFINISHED)
            has_one = set()
            for digest in Digest.objects.here().filter(known, user__in=period_of).order_by("pk"):
                if digest.state in UNFINISHED:
                    taken.digests[digest.user_id].append(digest)
                if digest.period == period_of[digest.user_id]:
                    has_one.add(digest.user_id)
            new = [row for row in rows if row.user_id in period_of.keys() - has_one]
            alike = defaultdict(list)
            for row in new:
                alike[row.pk if row.chosen else row.frequency].append(row)
            if sum(undigested(group).update(digest=claim) for group in alike.values()):
                taken.newest = newest_of(new, claim)
            written = [
                Digest(
                    user_id=row.user_id,
                    scope=row.scope,
                    period=period_of[row.user_id],
                    batch=f"{claim}-{row.pk}",
                )
                for row in new
                if row.user_id in taken.newest
            ]
            for digest in Digest.objects.bulk_create(written):
                taken.digests[digest.user_id].append(digest)
        return taken

    def _serve(self, taken: _Taken) -> None:
        following = defaultdict[datetime | None, list[int]](list)
        for row in taken.rows:
            # From then on another process serves them.
            if self.clock() >= taken.lease or self.failures_in_a_row >= FAILURES_IN_A_ROW:
                break
            waiting = self.tally.waiting
            try:
                next_at = self._send_for_user(row, taken)
            except Exception:
                # One user must not stop the others; this one is due again after the lease.
                logger.exception("The digest of preferences %s failed.", row.pk)
                continue
            is_waiting = self.tally.waiting > waiting
            self.failures_in_a_row = self.failures_in_a_row + 1 if is_waiting else 0
            if next_at is not None:
                moment = as_stored(row.schedule.held_until(next_at)) if row.uses_digests else None
                following[moment].append(row.pk)
        for moment, pks in following.items():
            # Unless they were claimed since or changed their preferences.
            rows = Preferences.objects.filter(pk__in=pks, claim=taken.claim)
            rows.update(claim="", next_digest_at=moment)

    def _send_for_user(self, row: Preferences, taken: _Taken) -> datetime | None:
        """When the next digest is due; None: the user has changed their preferences meanwhile."""
        for digest in taken.digests[row.user_id]:
            if not _claim(digest, row, taken.claim):
                return None
            rows = Digest.objects.filter(batch=digest.batch)
            digest.attempts += 1
            known = taken.newest.get(row.user_id) if digest.batch.startswith(taken.claim) else None
            result = attempt(digest, partial(_compose_and_send, row, digest, known))
            if result.state != State.SENT:
                # A sent one is settled whatever state it was given meanwhile.
                rows = rows.unfinished()
            rows.settle(result.state, result.reason, as_stored(self.clock()))
            self.tally.sent += result.state == State.SENT
            self.tally.failed += result.state == State.FAILED
            self.tally.waiting += result.state == State.PENDING
            if result.state == State.PENDING:
                return self.clock() + result.wait
        moment = self.clock()
        held_until = row.schedule.held_until(moment)
        return held_until if held_until > moment else row.schedule.next(moment)


def _claimable(batch: Any, preferences: Any, claim: Any) -> DigestQuerySet:
    """A digest to be sent, while its user has not been claimed since by another process."""
    mine = Preferences.objects.filter(pk=preferences, claim=claim)
    return Digest.objects.filter(Exists(mine), batch=batch).unfinished()


# Compiled: a tenth of a digest's processor time less. A claim that a crash of the database takes
# back is made again, so its commit does not wait for the disk.
_CLAIM = CompiledUpdate(
    lambda: _claimable(
        Placeholder("batch", Digest._meta.get_field("batch")),
        Placeholder("preferences", Preferences._meta.get_field("id")),
        Placeholder("claim", Preferences._meta.get_field("claim")),
    ),
    durable=False,
)
_CLAIMED = {"state": State.CLAIMED.value, "attempts": F("attempts") + 1}


def _claim(digest: Digest, row: Preferences, claim: str) -> bool:
    alias = router.db_for_write(Digest)
    found = _CLAIM.run(alias, _CLAIMED, batch=digest.batch, preferences=row.pk, claim=claim)
    if found is None:
        return bool(_claimable(digest.batch, row.pk, claim).claim())
    return bool(found)


def _compose_and_send(row: Preferences, digest: Digest, newest: list[Message] | None) -> None:
    mail = compose_digest(row, partial(messages_of, row, digest), digest.batch, newest)
    if mail is None:
        raise Skipped("Everything was read.")
    send(mail)


def _can_be_mailed(row: Preferences) -> bool:
    """Without an address no digest is written, which could only fail; the messages wait."""
    try:
        return bool(addresses.email_address(row.user))
    except (PermanentFailure, Skipped):
        return False
