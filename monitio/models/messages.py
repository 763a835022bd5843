"""The log: what people read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Self

from django.conf import settings as django_settings
from django.contrib.messages.storage.base import Message as DjangoMessage
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.html import conditional_escape
from django.utils.safestring import SafeData, SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

from monitio import constants
from monitio.conf import settings
from monitio.constants import LEVELS, PERSISTENT_LEVELS, levels_named
from monitio.models.jobs import Job
from monitio.models.rows import (
    KEY_LENGTH,
    FromDatabase,
    Index,
    LiteralIn,
    ScopedQuerySet,
    delete_along,
    scope_field,
)
from monitio.models.schedule import checked_moment
from monitio.models.texts import (
    FOR_READERS,
    level_tag,
    plain_text,
    stored_link,
    tags_of,
    validate_url,
)
from monitio.recipients import Recipient, name_of
from monitio.utils.text import at_most, check_url, clean_text, identifier, replace_wide

TEXT_FIELDS = ("subject", "message", "extra_tags", "category", "url", "url_label", "icon")
PERSISTENT = Q(LiteralIn(F("level"), PERSISTENT_LEVELS))


def named(level: str) -> Q:
    """Of messages whose level reads as this name."""
    ordinary, kept = levels_named(level)
    return Q(level__gte=ordinary.start, level__lt=ordinary.stop) | Q(
        level__gte=kept.start, level__lt=kept.stop
    )


NEEDS_ATTENTION = Q(read=False) & (named("warning") | named("error"))


class MessageQuerySet(ScopedQuerySet["Message"]):
    def bulk_create(self, objs: Iterable[Message], *args: Any, **kwargs: Any) -> list[Message]:
        messages = list(objs)
        for message in messages:
            message.prepare()
        return super().bulk_create(messages, *args, **kwargs)

    def update(self, **kwargs: Any) -> int:
        """Texts are cleaned; a new message is safe only if it is a SafeString."""
        for name in FOR_READERS & kwargs.keys():
            if isinstance(kwargs[name], str):
                kwargs[name] = clean_text(kwargs[name])
        if "message" in kwargs:
            kwargs.setdefault("safe", isinstance(kwargs["message"], SafeString))
        return super().update(**kwargs)

    def of(self, recipient: Recipient) -> Self:
        """Everything of one recipient, whatever its state."""
        return self.filter(recipient_key=recipient.key)

    def visible(self, now: Any = None) -> Self:
        """Neither expired nor hidden until its e-mail is out."""
        now = now or timezone.now()
        return self.filter(Q(expires=None) | Q(expires__gt=now), hidden=False)

    def persistent(self) -> Self:
        return self.filter(PERSISTENT)

    def nonpersistent(self) -> Self:
        return self.exclude(PERSISTENT)

    def unread(self) -> Self:
        return self.filter(read=False)

    def named(self, level: str) -> Self:
        """Those whose level reads as this name, for example ``error``."""
        return self.filter(named(level))

    def saying(self, text: str) -> Self:
        """Those with this text in subject or message, in capitals or not."""
        return self.filter(Q(subject__icontains=text) | Q(message__icontains=text))

    def unclaimed(self, stale: Any = None) -> Self:
        """Not being shown by another request right now; older claims than ``stale`` have expired.

        Their request crashed, and the message is shown again.
        """
        return self.filter(_unclaimed(stale))

    def for_inbox(self, now: Any = None, stale: Any = None) -> Self:
        """For lists and streams: persistent messages, and short-lived ones that are live.

        A Django-level message of the user's own request is shown on their next page alone.
        """
        return self.visible(now).filter(PERSISTENT | Q(live=True) & _unclaimed(stale))

    def running(self) -> Self:
        """Messages of jobs that have not ended."""
        return self.filter(running=True)

    def newest_first(self) -> Self:
        return self.order_by("-id")

    def touch(self, **changes: Any) -> int:
        """Update and raise the version, so that every open page takes the change."""
        return self.update(version=F("version") + 1, modified=timezone.now(), **changes)

    def with_pending_delivery(self) -> Self:
        return self.filter(_pending_delivery())

    def without_pending_delivery(self) -> Self:
        return self.exclude(_pending_delivery())

    def read_until(self, moment: datetime | None) -> Self:
        """Read and unchanged since ``moment`` (None: none); not those of running jobs."""
        if moment is None:
            return self.none()
        return self.filter(read=True, modified__lt=moment, hidden=False, running=False)


def _pending_delivery() -> models.Exists:
    """An e-mail that is sent even if the message was read or deleted."""
    from monitio.models import Delivery

    rows = Delivery.objects.unfinished().filter(message=models.OuterRef("pk"), unless="")
    return models.Exists(rows)


def claims_end() -> datetime:
    """Claims from before this moment have expired."""
    return timezone.now() - timedelta(seconds=settings.CLAIM_TIMEOUT)


def _unclaimed(stale: Any) -> Q:
    return Q(claim="") | Q(claimed_at__lt=stale or claims_end())


class Message(FromDatabase):
    """A message to one recipient."""

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
    scope = scope_field()
    # Derived from the three above; not null, because a unique constraint ignores NULLs.
    recipient_key = models.CharField(max_length=KEY_LENGTH, editable=False)
    from_user = models.ForeignKey(
        django_settings.AUTH_USER_MODEL,
        models.SET_NULL,
        verbose_name=_("from"),
        null=True,
        blank=True,
        related_name="monitio_messages_sent",
        db_index=False,
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
    icon = models.CharField(max_length=20, blank=True, default="", db_default="", editable=False)
    # The batch of the digest that holds it: no other digest takes it.
    digest = models.CharField(max_length=32, blank=True, default="", editable=False)
    # The language in which the recipient used the site, and of their e-mail.
    language = models.CharField(_("language"), max_length=16, blank=True, default="")
    created = models.DateTimeField(_("created"), default=timezone.now)
    modified = models.DateTimeField(_("modified"), default=timezone.now, editable=False)
    expires = models.DateTimeField(_("expires"), null=True, blank=True)
    close_timeout = models.PositiveIntegerField(
        _("closes after"), null=True, blank=True, help_text=_("Seconds a pop-up stays open.")
    )
    read = models.BooleanField(_("read"), default=False)
    # Its pop-up was shown or closed: it does not pop up again on the next page.
    seen = models.BooleanField(_("seen"), default=False)
    # False: shown on the next page, not on an open one.
    live = models.BooleanField(default=True, editable=False)
    # Already shown, kept only until its delivery has been sent.
    hidden = models.BooleanField(default=False, editable=False)
    # Grows with every change; the browser keeps the highest that it has received.
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
    # Whether its job has not ended: a join would read a recipient's jobs of all time.
    running = models.BooleanField(default=False, db_default=False, editable=False)

    objects = MessageQuerySet.as_manager()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        permissions = [("send_message", "Can write to users and groups")]
        ordering = ("-id",)
        indexes = [
            # For snapshots and lists: the newest of one recipient.
            models.Index(fields=["recipient_key", "id"], name="monitio_newest"),
            # For page views, and the unread count, which needs no row beside it.
            Index(
                name="monitio_unread",
                fields=["recipient_key", "id", "level", "expires"],
                partial=Q(read=False, hidden=False),
                full=["recipient_key", "read", "id"],
            ),
            # For page views: those to be shown once, however many others are unread.
            Index(
                name="monitio_once",
                fields=["recipient_key", "id"],
                partial=~Q(level__in=PERSISTENT_LEVELS) & Q(hidden=False),
                full=["recipient_key", "level", "id"],
            ),
            # For snapshots: running jobs below the floor.
            Index(
                name="monitio_running",
                fields=["recipient_key", "id"],
                partial=Q(running=True),
                full=["recipient_key", "running", "id"],
            ),
            # For pruning: expired messages, and those of visitors whose token has expired.
            Index(name="monitio_expiring", fields=["expires"], partial=Q(expires__isnull=False)),
            Index(
                name="monitio_visitor",
                fields=["created"],
                partial=Q(user__isnull=True),
                full=["user", "created"],
            ),
            # For deleting a user without a full table scan.
            models.Index(fields=["user"], name="monitio_user"),
            Index(name="monitio_sender", fields=["from_user"], partial=Q(from_user__isnull=False)),
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
        """Django also calls it to load a deferred field."""
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

    # A class that defines __eq__ loses its __hash__.
    __hash__ = models.Model.__hash__

    @property
    def recipient(self) -> Recipient:
        if self.user_id is None:
            who = Recipient.for_visitor(self.session, self.language)
        else:
            who = Recipient.for_user(self.user_id, self.language)
        return replace(who, scope=self.scope)

    @recipient.setter
    def recipient(self, recipient: Recipient) -> None:
        self.user_id = recipient.user_id
        self.session = recipient.token or ""
        self.scope = recipient.scope
        self.language = recipient.language
        self.recipient_key = recipient.key

    @classmethod
    def from_db(cls, db: Any, field_names: Any, values: Any, *, fetch_mode: Any = None) -> Self:
        """Blank an unsafe ``url`` that was written without ``save()``."""
        message = super().from_db(db, field_names, values, fetch_mode=fetch_mode)
        if message.__dict__.get("safe") and "message" in message.__dict__:
            message._mark_safe()
        if "url" in message.__dict__:
            message.url = stored_link(message.pk, message.url)
        return message

    @classmethod
    def stored_text(cls, name: str, value: object) -> str:
        """``value`` as the text field ``name`` stores it. Raises ``ValueError`` that names it."""
        text = "" if value is None else clean_text(value) if name in FOR_READERS else str(value)
        field: Any = cls._meta.get_field(name)
        if field.max_length is not None:
            at_most(name, text, field.max_length)
        if name == "url":
            return check_url(text)
        return text if name in FOR_READERS else identifier(name, text)

    def clean(self) -> None:
        """Raises ``ValidationError`` for what ``prepare()`` would refuse."""
        errors = {}
        # The link has a validator.
        names = [name for name in TEXT_FIELDS if name != "url"]
        checks: dict[str, Callable[[Any], Any]] = {
            name: partial(self.stored_text, name) for name in names
        }
        checks["expires"] = partial(checked_moment, "expires")
        for name, check in checks.items():
            try:
                check(getattr(self, name))
            except ValueError as error:
                errors[name] = str(error)
        if errors:
            raise ValidationError(errors)

    def prepare(self) -> None:
        """Convert every field to its stored form. Raises ``ValueError`` that names a bad field."""
        for name in TEXT_FIELDS:
            setattr(self, name, self.stored_text(name, getattr(self, name)))
        self.level = constants.as_level(self.level)
        if self._state.adding:
            self.expires = checked_moment("expires", self.expires)
        # An unsafe text may have replaced a safe one.
        self.safe = isinstance(self.message, SafeString)
        self.recipient_key = self.recipient.key

    def replace_wide_characters(self) -> None:
        """For tables with three bytes per character: replace emoji by U+FFFD."""
        for name in FOR_READERS:
            setattr(self, name, replace_wide(getattr(self, name)))

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.prepare()
        if kwargs.get("update_fields"):
            # Fields that prepare() derives are saved with their sources.
            derived = {"message": ["safe"], "user": ["session", "scope", "recipient_key"]}
            named = set(kwargs["update_fields"])
            kwargs["update_fields"] = named.union(*(derived.get(name, []) for name in named))
        super().save(*args, **kwargs)

    # DjangoMessage's interface, for templates that iterate over both.

    @property
    def tags(self) -> str:
        return tags_of(self.extra_tags, self.level)

    @property
    def level_tag(self) -> str:
        return level_tag(self.level)

    @property
    def level_name(self) -> str:
        """One of debug, info, success, warning, error."""
        return constants.level_name(self.level)

    def is_persistent(self) -> bool:
        """Whether it is kept until it is deleted."""
        return constants.is_persistent(self.level)

    is_persistent.boolean = True  # type: ignore[attr-defined]
    is_persistent.short_description = _("persistent")  # type: ignore[attr-defined]

    @property
    def text(self) -> str:
        """The message without markup, for e-mails, streams and pop-ups."""
        return plain_text(self.message)

    @property
    def html(self) -> SafeString:
        """The message for a template: unchanged if it was marked safe, else escaped."""
        return conditional_escape(self.message)

    @property
    def sender(self) -> str:
        """The name of its sender; '' without one."""
        return name_of(self.from_user if self.from_user_id else None)

    @property
    def is_expired(self) -> bool:
        return self.expires is not None and self.expires <= timezone.now()

    def get_absolute_url(self) -> str:
        from django.urls import reverse

        return reverse("message_detail", args=[self.pk])
