"""The log: messages, the jobs they tell of, and their deliveries."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from django.conf import settings as django_settings
from django.contrib.messages import constants as django_levels
from django.contrib.messages.storage.base import Message as DjangoMessage
from django.contrib.messages.utils import get_level_tags
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.html import conditional_escape, strip_tags
from django.utils.safestring import SafeData, SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

from monitio import constants
from monitio.categories import Mode, category, gathered_by_default
from monitio.constants import State
from monitio.querysets import DeliveryQuerySet, DigestQuerySet, JobQuerySet, MessageQuerySet
from monitio.recipients import Recipient
from monitio.schedule import GATHERED, Frequency, Schedule

LEVELS = (
    (django_levels.DEBUG, _("Debug")),
    (django_levels.INFO, _("Info")),
    (django_levels.SUCCESS, _("Success")),
    (django_levels.WARNING, _("Warning")),
    (django_levels.ERROR, _("Error")),
    (constants.DEBUG, _("Debug, kept")),
    (constants.INFO, _("Info, kept")),
    (constants.SUCCESS, _("Success, kept")),
    (constants.WARNING, _("Warning, kept")),
    (constants.ERROR, _("Error, kept")),
)

STATES = (
    (State.QUEUED, _("Queued")),
    (State.STARTED, _("Started")),
    (State.RETRYING, _("Trying again")),
    (State.SUCCEEDED, _("Succeeded")),
    (State.FAILED, _("Failed")),
    (State.REVOKED, _("Cancelled")),
    (State.LOST, _("Interrupted")),
)

SCHEMES = ("", "http", "https")


def check_url(url: str) -> str:
    """``url`` if a browser may follow it. Raises ``ValueError`` for javascript: and the like."""
    # Browsers skip control characters and spaces, so "java\nscript:" runs: none may hide there.
    hidden = any(character < " " or character == "\x7f" for character in url)
    try:
        scheme = urlsplit(url.strip()).scheme.lower()
    except ValueError:
        hidden, scheme = True, ""
    if hidden or scheme not in SCHEMES:
        raise ValueError(f"{url!r} cannot be linked to: use a path or an http(s) address.")
    return url


def validate_url(url: str) -> None:
    """``check_url`` as forms want it."""
    try:
        check_url(url)
    except ValueError as error:
        raise ValidationError(str(error)) from None


# Where a browser begins a new line, and where it leaves a gap in the line.
LINE_ENDS = re.compile(
    r"<(?:br|hr)\b[^<>]*>|</(?:p|div|h[1-6]|[uod]l|li|d[td]|tr|table|pre|blockquote|section)\s*>",
    re.IGNORECASE,
)
CELL_ENDS = re.compile(r"</t[dh]\s*>", re.IGNORECASE)


def plain_text(message: str) -> str:
    """Text without markup: of a safe message what its HTML reads, of any other the text itself."""
    text = str(message)
    if not isinstance(text, SafeData):
        return text
    lines = strip_tags(CELL_ENDS.sub(" ", LINE_ENDS.sub("\n", text))).splitlines()
    return html.unescape("\n".join(line.strip() for line in lines if line.strip())).strip()


def delete_along(collector: Any, field: Any, rows: Any, using: str) -> None:
    """``CASCADE`` for a field that may be null and must not become it.

    Where constraints cannot wait for the commit (MySQL), Django's own sets the field to NULL before
    it deletes the row, and a message of nobody is refused by ``monitio_user_xor_session``.
    """
    collector.collect(
        rows,
        source=field.remote_field.model,
        source_attr=field.name,
        nullable=False,
        fail_on_restricted=False,
    )


# 190 characters of four bytes each are what the strictest supported index holds.
KEY_LENGTH = 190


class Job(models.Model):
    """One run of a background task, whatever the queue. This row is the truth about it."""

    task_id = models.CharField(_("task id"), max_length=KEY_LENGTH, unique=True)
    queue = models.CharField(_("queue"), max_length=50, blank=True, default="")
    name = models.CharField(_("name"), max_length=255, blank=True, default="")
    state = models.CharField(_("state"), max_length=20, choices=STATES, default=State.QUEUED)
    attempt = models.PositiveIntegerField(_("attempt"), default=0)
    # Orders events that arrive late, twice or shuffled: a transition must raise it (jobs.py).
    key = models.BigIntegerField(default=-1, editable=False)
    done = models.FloatField(_("done"), null=True, blank=True)
    total = models.FloatField(_("total"), null=True, blank=True)
    # Steps a second, of late; None while nobody can tell.
    rate = models.FloatField(_("steps a second"), null=True, blank=True)
    text = models.CharField(_("text"), max_length=255, blank=True, default="")
    seq = models.BigIntegerField(default=0, editable=False)
    error = models.TextField(_("error"), blank=True, default="")
    # The people to tell, as Recipient.to_dict().
    recipients = models.JSONField(_("recipients"), default=list, blank=True)
    # What the author listed, for whoever finds the job and does not have them: the sweep.
    arguments = models.JSONField(_("arguments"), null=True, blank=True, editable=False)
    cancellable = models.BooleanField(_("its readers may cancel it"), default=False)
    cancel_requested = models.BooleanField(_("its cancelling was asked for"), default=False)
    created = models.DateTimeField(_("created"), default=timezone.now)
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    alive_at = models.DateTimeField(_("last sign of life"), null=True, blank=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        indexes = [models.Index(fields=["state", "alive_at"], name="monitio_job_silent")]

    def __str__(self) -> str:
        return f"{self.name or self.task_id}: {self.get_state_display()}"

    @property
    def percent(self) -> float | None:
        """0 to 100, or None when nobody knows how much there is to do."""
        if self.done is None or not self.total:
            return None
        return max(0.0, min(100.0, round(100 * self.done / self.total, 1)))

    @property
    def pace(self) -> float | None:
        """Steps a second while it runs; None when nobody can tell."""
        return self.rate if self.state == State.STARTED else None

    @property
    def eta(self) -> int | None:
        """Seconds until its bar is full, while it runs; None when nobody can tell."""
        if not self.pace or not self.total or self.done is None or self.done >= self.total:
            return None
        return math.ceil((self.total - self.done) / self.pace)

    @property
    def may_be_cancelled(self) -> bool:
        """Whether a reader's cancelling would still change anything."""
        return self.cancellable and not self.cancel_requested and not self.has_ended

    @property
    def has_ended(self) -> bool:
        return self.state in State.ENDED


class Message(models.Model):
    """What one person reads."""

    user = models.ForeignKey(
        django_settings.AUTH_USER_MODEL,
        delete_along,
        verbose_name=_("user"),
        null=True,
        blank=True,
        related_name="monitio_messages",
        db_index=False,
    )
    session = models.CharField(_("visitor"), max_length=64, blank=True, default="", editable=False)
    # Derived from the two; never null, because NULLs would admit duplicates.
    recipient_key = models.CharField(max_length=KEY_LENGTH, editable=False)
    from_user = models.ForeignKey(
        django_settings.AUTH_USER_MODEL,
        models.SET_NULL,
        verbose_name=_("from"),
        null=True,
        blank=True,
        related_name="monitio_messages_sent",
    )
    subject = models.CharField(_("subject"), max_length=255, blank=True, default="")
    message = models.TextField(_("message"))
    safe = models.BooleanField(_("is HTML"), default=False, editable=False)
    level = models.IntegerField(_("level"), choices=LEVELS, default=constants.INFO)
    extra_tags = models.CharField(_("extra tags"), max_length=255, blank=True, default="")
    category = models.CharField(_("category"), max_length=100, blank=True, default="")
    url = models.CharField(
        _("link"), max_length=2048, blank=True, default="", validators=[validate_url]
    )
    url_label = models.CharField(_("link text"), max_length=255, blank=True, default="")
    # The batch of the digest that gathered it: none gathers it again.
    digest = models.CharField(max_length=32, blank=True, default="", editable=False)
    # What the recipient read the site in; their e-mail is written in it.
    language = models.CharField(_("language"), max_length=16, blank=True, default="")
    created = models.DateTimeField(_("created"), default=timezone.now)
    modified = models.DateTimeField(_("modified"), default=timezone.now, editable=False)
    expires = models.DateTimeField(_("expires"), null=True, blank=True, db_index=True)
    close_timeout = models.PositiveIntegerField(
        _("closes after"), null=True, blank=True, help_text=_("Seconds a pop-up stays open.")
    )
    read = models.BooleanField(_("read"), default=False)
    # Its pop-up was shown or closed: it does not pop up again on the next page.
    seen = models.BooleanField(_("seen"), default=False)
    # False: it waits for the next page instead of popping up on the open one.
    live = models.BooleanField(default=True, editable=False)
    # Shown already, kept only until its delivery is out.
    hidden = models.BooleanField(default=False, editable=False)
    # Moves with every change; the browser keeps the highest it has seen.
    version = models.PositiveBigIntegerField(default=1, editable=False)
    claim = models.CharField(max_length=32, blank=True, default="", editable=False)
    claimed_at = models.DateTimeField(null=True, blank=True, editable=False)
    job = models.ForeignKey(
        Job,
        models.CASCADE,
        verbose_name=_("job"),
        null=True,
        blank=True,
        related_name="messages",
        db_index=False,  # monitio_one_per_job begins with it
    )

    objects = MessageQuerySet.as_manager()

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ("-id",)
        indexes = [
            # A page view and a snapshot: the newest of one recipient.
            models.Index(fields=["recipient_key", "id"], name="monitio_newest"),
            # The unread count, and the unread of a page.
            models.Index(fields=["recipient_key", "read", "id"], name="monitio_unread"),
            # Pruning visitors' messages, once nobody holds their token any more.
            models.Index(fields=["session", "created"], name="monitio_visitor"),
            # Deleting a user finds their messages without walking the table.
            models.Index(fields=["user"], name="monitio_user"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=True, session__gt="")
                | Q(user__isnull=False, session__exact=""),
                name="monitio_user_xor_session",
            ),
            models.UniqueConstraint(fields=["job", "recipient_key"], name="monitio_one_per_job"),
        ]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "message" not in self.__dict__ or "safe" not in self.__dict__:
            return  # deferred: reading it here would cost a query
        if isinstance(self.message, SafeData):
            self.safe = True
        elif self.safe:
            self._mark_safe()

    def refresh_from_db(
        self,
        using: str | None = None,
        fields: Iterable[str] | None = None,
        from_queryset: models.QuerySet[Message] | None = None,
    ) -> None:
        """Also what loads a deferred field."""
        names = None if fields is None else list(fields)
        super().refresh_from_db(using, names, from_queryset)
        if (names is None or "message" in names) and self.safe:
            self._mark_safe()

    def _mark_safe(self) -> None:
        self.message = mark_safe(self.message)  # noqa: S308 - it was stored as safe

    def __str__(self) -> str:
        return str(self.message)

    def __repr__(self) -> str:
        # The text stays out of logs.
        return f"<Message {self.pk} level={self.level}>"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, DjangoMessage):
            return self.level == other.level and self.message == other.message
        return super().__eq__(other)

    # A class that defines __eq__ loses its hash.
    __hash__ = models.Model.__hash__

    @property
    def recipient(self) -> Recipient:
        if self.user_id is None:
            return Recipient.for_visitor(self.session, self.language)
        return Recipient.for_user(self.user_id, self.language)

    @recipient.setter
    def recipient(self, recipient: Recipient) -> None:
        self.user_id = recipient.user_id
        self.session = recipient.token or ""
        self.language = recipient.language

    def prepare(self) -> None:
        """Bring every field into the form that is stored. Raises ``ValueError`` for a bad url."""
        self.subject, self.extra_tags = str(self.subject or ""), str(self.extra_tags or "")
        self.url, self.url_label = check_url(str(self.url or "")), str(self.url_label or "")
        self.message = str(self.message)
        # A safe text that was replaced by any other is safe no longer.
        self.safe = isinstance(self.message, SafeString)
        self.recipient_key = self.recipient.key

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.prepare()
        if kwargs.get("update_fields"):
            # What prepare() derives goes with what it is derived from.
            derived = {"message": ["safe"], "user": ["session", "recipient_key"]}
            named = set(kwargs["update_fields"])
            kwargs["update_fields"] = named.union(*(derived.get(name, []) for name in named))
        super().save(*args, **kwargs)

    # DjangoMessage's interface, so that templates do not care what they iterate over.

    @property
    def tags(self) -> str:
        return " ".join(tag for tag in (self.extra_tags, self.level_tag) if tag)

    @property
    def level_tag(self) -> str:
        """The level's tag; that of its Django sibling where MESSAGE_TAGS does not name it."""
        tags = get_level_tags()
        sibling = self.level - constants.OFFSET if self.is_persistent() else self.level
        return str(tags.get(self.level, tags.get(sibling, "")))

    @property
    def level_name(self) -> str:
        """One of debug, info, success, warning, error."""
        return constants.level_name(self.level)

    def is_persistent(self) -> bool:
        """Whether it stays until somebody deletes it."""
        return constants.is_persistent(self.level)

    is_persistent.boolean = True  # type: ignore[attr-defined]

    @property
    def text(self) -> str:
        """The message without markup: what e-mails, streams and pop-ups carry."""
        return plain_text(self.message)

    @property
    def html(self) -> SafeString:
        """The message for a template: as it is when marked safe, escaped otherwise."""
        return conditional_escape(self.message)

    @property
    def sender(self) -> str:
        """What its sender is called; '' when nobody in particular sent it."""
        sender: Any = self.from_user
        if sender is None:
            return ""
        # Not every user model has a real name.
        full_name = getattr(sender, "get_full_name", str)()
        return str(full_name or sender.get_username())

    @property
    def is_expired(self) -> bool:
        return self.expires is not None and self.expires <= timezone.now()

    def get_absolute_url(self) -> str:
        from django.urls import reverse

        return reverse("message_detail", args=[self.pk])


class Delivery(models.Model):
    """One message on one channel that is not live, with what became of it."""

    class State(models.TextChoices):
        PENDING = "pending", _("Pending")
        CLAIMED = "claimed", _("Being sent")
        SENT = "sent", _("Sent")
        FAILED = "failed", _("Failed")
        SKIPPED = "skipped", _("Not needed")

    class Unless(models.TextChoices):
        READ = "read", _("Unless it was read")
        SEEN = "seen", _("Unless it was seen")

    message = models.ForeignKey(
        Message,
        models.CASCADE,
        verbose_name=_("message"),
        related_name="deliveries",
        db_index=False,  # monitio_one_per_channel begins with it
    )
    channel = models.CharField(_("channel"), max_length=50)
    state = models.CharField(
        _("state"), max_length=10, choices=State.choices, default=State.PENDING
    )
    # Not sent before. While it is claimed: when its sender counts as dead.
    due_at = models.DateTimeField(_("due"), default=timezone.now)
    unless = models.CharField(
        _("condition"), max_length=10, choices=Unless.choices, blank=True, default=""
    )
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    error = models.TextField(_("reason"), blank=True, default="")
    created = models.DateTimeField(_("created"), default=timezone.now)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        indexes = [models.Index(fields=["state", "due_at"], name="monitio_due")]
        constraints = [
            # Whatever happens to a job, its message is mailed once.
            models.UniqueConstraint(fields=["message", "channel"], name="monitio_one_per_channel")
        ]

    def __str__(self) -> str:
        return f"{self.channel}: {self.get_state_display()}"


class Repeat(models.Model):
    """A failure that has been told, and how often (repeats.py). Of its kind there is one row."""

    # Hashed from the recipient, the task and every word.
    kind = models.CharField(max_length=32, unique=True)
    # A row whose message is gone is taken over, so deleting messages need not look here.
    message = models.ForeignKey(
        Message, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    times = models.PositiveIntegerField(default=1)
    created = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("repeated failure")
        verbose_name_plural = _("repeated failures")

    def __str__(self) -> str:
        return f"{self.kind}: {self.times}"


WEEKDAYS = (
    (0, _("Monday")),
    (1, _("Tuesday")),
    (2, _("Wednesday")),
    (3, _("Thursday")),
    (4, _("Friday")),
    (5, _("Saturday")),
    (6, _("Sunday")),
)


def validate_time_zone(name: str) -> None:
    """A name that every copy of the IANA database knows."""
    if name not in available_timezones():
        raise ValidationError(
            _("%(name)s is no IANA time zone such as Europe/Warsaw."), params={"name": name}
        )


class Preferences(models.Model):
    """How a user wants to be mailed. Who has no row is mailed as the messages' authors ask."""

    user = models.OneToOneField(
        django_settings.AUTH_USER_MODEL,
        models.CASCADE,
        verbose_name=_("user"),
        related_name="monitio_preferences",
    )
    frequency = models.CharField(
        _("e-mails"), max_length=10, choices=Frequency.choices, default=Frequency.AT_ONCE
    )
    hour = models.PositiveSmallIntegerField(
        _("hour"), default=8, validators=[MaxValueValidator(23)], help_text=_("In their own time.")
    )
    weekday = models.PositiveSmallIntegerField(_("day"), default=0, choices=WEEKDAYS)
    # '' is the site's. A name, not an offset: clocks change.
    time_zone = models.CharField(
        _("time zone"), max_length=64, blank=True, default="", validators=[validate_time_zone]
    )
    quiet_from = models.TimeField(_("quiet from"), null=True, blank=True)
    quiet_to = models.TimeField(_("quiet until"), null=True, blank=True)
    # What they read the site in when they chose.
    language = models.CharField(_("language"), max_length=16, blank=True, default="")
    # Digests gather what is newer: who begins to get them is not told of years.
    since = models.DateTimeField(default=timezone.now, editable=False)
    # When to look at this user next. While they are claimed: when their sender counts as dead.
    next_digest_at = models.DateTimeField(_("next digest"), null=True, blank=True, editable=False)
    claim = models.CharField(max_length=32, blank=True, default="", editable=False)

    class Meta:
        verbose_name = _("preferences")
        verbose_name_plural = _("preferences")
        indexes = [
            models.Index(fields=["next_digest_at"], name="monitio_digest_due"),
            models.Index(fields=["claim"], name="monitio_digest_claim"),
        ]

    def __str__(self) -> str:
        return str(self.get_frequency_display())

    def clean(self) -> None:
        if (self.quiet_from is None) != (self.quiet_to is None):
            raise ValidationError(_("Quiet hours need a beginning and an end."))

    @cached_property
    def chosen(self) -> dict[str, CategoryChoice]:
        """What they have chosen for single categories, by name. Prefetch ``choices`` for many."""
        return {} if self.pk is None else {row.category: row for row in self.choices.all()}

    def mode(self, name: str) -> Mode:
        """What becomes of the e-mails of a category.

        What cannot be switched off is mailed; "never" stops all else. Otherwise their choice for
        the category counts, then the site's for it, then how often they want to be mailed.
        """
        kind = category(name)
        if kind.essential:
            return Mode.AT_ONCE
        if self.frequency == Frequency.NEVER:
            return Mode.OFF
        chosen = self.chosen.get(name)
        if chosen is not None and chosen.mode:
            return Mode(chosen.mode)
        return kind.default or (Mode.DIGEST if self.frequency in GATHERED else Mode.AT_ONCE)

    @property
    def gathers(self) -> bool:
        """Whether there is anything a digest could hold."""
        if self.frequency == Frequency.NEVER:
            return False
        modes = {choice.mode for choice in self.chosen.values()}
        return self.frequency in GATHERED or Mode.DIGEST in modes or gathered_by_default()

    @property
    def zone(self) -> ZoneInfo:
        try:
            return ZoneInfo(self.time_zone or django_settings.TIME_ZONE)
        except ZoneInfoNotFoundError:
            # This machine's IANA database has lost the name, or does not know it yet.
            return ZoneInfo(django_settings.TIME_ZONE)

    @property
    def schedule(self) -> Schedule:
        """Who is mailed at once but has a category gathered gets that one daily."""
        quiet = None
        if self.quiet_from is not None and self.quiet_to is not None:
            quiet = self.quiet_from, self.quiet_to
        return Schedule(
            frequency=self.frequency if self.frequency in GATHERED else Frequency.DAILY,
            zone=self.zone,
            hour=self.hour,
            weekday=self.weekday,
            quiet=quiet,
        )


class CategoryChoice(models.Model):
    """What a user has chosen for one category; '': nothing of its own, not any more."""

    preferences = models.ForeignKey(
        Preferences,
        models.CASCADE,
        related_name="choices",
        db_index=False,  # monitio_one_choice begins with it
    )
    category = models.CharField(_("category"), max_length=100, blank=True)
    mode = models.CharField(
        _("e-mails"), max_length=10, choices=Mode.choices, blank=True, default=""
    )
    # As Preferences.since, for this category.
    since = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("choice for a category")
        verbose_name_plural = _("choices for categories")
        constraints = [
            models.UniqueConstraint(fields=["preferences", "category"], name="monitio_one_choice")
        ]

    def __str__(self) -> str:
        return f"{category(self.category).title}: {self.get_mode_display()}"

    def clean(self) -> None:
        if self.mode and category(self.category).essential:
            raise ValidationError(_("E-mails of this category are essential: nobody chooses them."))


class Digest(models.Model):
    """One e-mail that gathers the messages of one user and one period."""

    State = Delivery.State

    user = models.ForeignKey(
        django_settings.AUTH_USER_MODEL,
        models.CASCADE,
        verbose_name=_("user"),
        related_name="monitio_digests",
        db_index=False,  # monitio_one_per_period begins with it
    )
    # The local day or week, or the hour in UTC.
    period = models.CharField(_("period"), max_length=40)
    # What its messages carry; its Message-ID derives from it, so that every try has the same.
    batch = models.CharField(max_length=32, unique=True, editable=False)
    state = models.CharField(
        _("state"), max_length=10, choices=Delivery.State.choices, default=Delivery.State.PENDING
    )
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    error = models.TextField(_("reason"), blank=True, default="")
    created = models.DateTimeField(_("created"), default=timezone.now)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)

    objects = DigestQuerySet.as_manager()

    class Meta:
        verbose_name = _("digest")
        verbose_name_plural = _("digests")
        constraints = [
            models.UniqueConstraint(fields=["user", "period"], name="monitio_one_per_period")
        ]

    def __str__(self) -> str:
        return f"{self.period}: {self.get_state_display()}"


class VisitorLogin(models.Model):
    """A visitor who turned out to be a user: what still comes for the token goes to the user."""

    token = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey(django_settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    created = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("visitor's log-in")
        verbose_name_plural = _("visitors' log-ins")

    def __str__(self) -> str:
        return f"visitor -> {self.user_id}"


class LastBell(models.Model):
    """The last bell of a topic: what the polling transport compares. Written after commit."""

    topic = models.CharField(max_length=KEY_LENGTH, unique=True)
    # A random number, not a counter: two publishers at once never leave the value a reader knew.
    nonce = models.BigIntegerField()
    # Without an index: it moves with every bell, and only the daily prune asks for it.
    modified = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("last bell")
        verbose_name_plural = _("last bells")

    def __str__(self) -> str:
        return f"{self.nonce}"
