"""How a user gets e-mails."""

from __future__ import annotations

from functools import cached_property
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from django.conf import settings as django_settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.utils import dates, timezone
from django.utils.translation import gettext_lazy as _

from monitio.constants import EMAIL
from monitio.models.categories import Mode, category, gathered_by_default
from monitio.models.rows import PrimaryQuerySet, ScopedQuerySet, scope_field
from monitio.models.schedule import DIGEST_FREQUENCIES, Frequency, Schedule

WEEKDAYS = tuple(dates.WEEKDAYS.items())


def validate_time_zone(name: str) -> None:
    """Raises ``ValidationError`` for a name that is not in the IANA database."""
    if name not in available_timezones():
        raise ValidationError(
            _("%(name)s is not an IANA time zone such as Europe/Warsaw."), params={"name": name}
        )


class Preferences(models.Model):
    """How a user gets e-mails. Without a row, each message's own options apply."""

    user = models.ForeignKey(
        django_settings.AUTH_USER_MODEL,
        models.CASCADE,
        verbose_name=_("user"),
        related_name="monitio_preferences",
        db_index=False,  # monitio_one_user begins with it
    )
    scope = scope_field()
    frequency = models.CharField(
        _("e-mails"), max_length=10, choices=Frequency.choices, default=Frequency.AT_ONCE
    )
    hour = models.PositiveSmallIntegerField(
        _("hour"),
        default=8,
        validators=[MaxValueValidator(23)],
        help_text=_("In the user’s time zone."),
    )
    weekday = models.PositiveSmallIntegerField(_("day"), default=0, choices=WEEKDAYS)
    # '' is the site's. A name, not an offset: offsets change with daylight saving time.
    time_zone = models.CharField(
        _("time zone"), max_length=64, blank=True, default="", validators=[validate_time_zone]
    )
    quiet_from = models.TimeField(_("quiet from"), null=True, blank=True)
    quiet_to = models.TimeField(_("quiet until"), null=True, blank=True)
    # The language in which they used the site when they saved.
    language = models.CharField(_("language"), max_length=16, blank=True, default="")
    # That of their last request to a stream, a snapshot or the inbox (preferences.last_language).
    last_language = models.CharField(
        max_length=16, blank=True, default="", db_default="", editable=False
    )
    # Digests hold only newer messages: a user who turns them on does not get old ones.
    digests_since = models.DateTimeField(default=timezone.now, editable=False)
    # When the next digest is due. While the row is claimed: when the claim expires.
    next_digest_at = models.DateTimeField(_("next digest"), null=True, blank=True, editable=False)
    claim = models.CharField(max_length=32, blank=True, default="", editable=False)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("preferences")
        verbose_name_plural = _("preferences")
        indexes = [
            models.Index(fields=["next_digest_at"], name="monitio_digest_due"),
            models.Index(fields=["claim"], name="monitio_digest_claim"),
        ]
        constraints = [models.UniqueConstraint(fields=["user", "scope"], name="monitio_one_user")]

    def __str__(self) -> str:
        return str(self.get_frequency_display())

    def clean(self) -> None:
        if (self.quiet_from is None) != (self.quiet_to is None):
            raise ValidationError(_("Quiet hours need a start and an end."))

    @cached_property
    def chosen(self) -> dict[str, CategoryChoice]:
        """E-mail preferences of single categories, by name."""
        return self.chosen_for(EMAIL)

    def chosen_for(self, channel: str) -> dict[str, CategoryChoice]:
        """Preferences for single categories, by name. Prefetch ``choices`` for many users."""
        rows = () if self.pk is None else self.choices.all()
        return {row.category: row for row in rows if row.channel == channel}

    def mode(self, name: str, channel: str = EMAIL) -> Mode:
        """How messages of a category are sent to this user on a channel.

        In order of precedence: essential categories are sent, "never" stops all other e-mails, the
        user's choice for category and channel, the site's default for the category, the user's
        frequency of e-mails. Only e-mails have digests: other channels send what goes into them
        right away.
        """
        kind = category(name)
        if kind.essential:
            return Mode.AT_ONCE
        if channel != EMAIL:
            choice = self.chosen_for(channel).get(name)
            mode = choice.mode if choice and choice.mode else kind.default
            return Mode.OFF if mode == Mode.OFF else Mode.AT_ONCE
        if self.frequency == Frequency.NEVER:
            return Mode.OFF
        chosen = self.chosen.get(name)
        if chosen is not None and chosen.mode:
            return Mode(chosen.mode)
        return kind.default or (
            Mode.DIGEST if self.frequency in DIGEST_FREQUENCIES else Mode.AT_ONCE
        )

    @property
    def uses_digests(self) -> bool:
        """Whether any category goes into a digest."""
        if self.frequency == Frequency.NEVER:
            return False
        modes = {choice.mode for choice in self.chosen.values()}
        return self.frequency in DIGEST_FREQUENCIES or Mode.DIGEST in modes or gathered_by_default()

    @property
    def zone(self) -> ZoneInfo:
        try:
            return ZoneInfo(self.time_zone or django_settings.TIME_ZONE)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            # The IANA database of this machine is older or newer than the name, or the name was
            # saved without validation.
            return ZoneInfo(django_settings.TIME_ZONE)

    @property
    def schedule(self) -> Schedule:
        """A user with a digest for one category alone gets it daily."""
        quiet = None
        if self.quiet_from is not None and self.quiet_to is not None:
            quiet = self.quiet_from, self.quiet_to
        return Schedule(
            frequency=self.frequency if self.frequency in DIGEST_FREQUENCIES else Frequency.DAILY,
            zone=self.zone,
            hour=self.hour,
            weekday=self.weekday,
            quiet=quiet,
        )


class CategoryChoice(models.Model):
    """A user's mode for one category on one channel; '': no longer any of its own."""

    preferences = models.ForeignKey(
        Preferences,
        models.CASCADE,
        related_name="choices",
        db_index=False,  # monitio_one_mode begins with it
    )
    category = models.CharField(_("category"), max_length=100, blank=True)
    channel = models.CharField(_("channel"), max_length=50, default=EMAIL, db_default=EMAIL)
    mode = models.CharField(_("mode"), max_length=10, choices=Mode.choices, blank=True, default="")
    # As Preferences.digests_since, for this category.
    digests_since = models.DateTimeField(default=timezone.now, editable=False)

    objects = PrimaryQuerySet.as_manager()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("category preference")
        verbose_name_plural = _("category preferences")
        constraints = [
            models.UniqueConstraint(
                fields=["preferences", "category", "channel"], name="monitio_one_mode"
            )
        ]

    def __str__(self) -> str:
        return f"{category(self.category).title}, {self.channel}: {self.get_mode_display()}"

    def clean(self) -> None:
        if self.mode and category(self.category).essential:
            raise ValidationError(_("Essential e-mails can’t be turned off."))
