"""How a user wants to be mailed."""

from __future__ import annotations

from functools import cached_property
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from django.conf import settings as django_settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.utils import dates, timezone
from django.utils.translation import gettext_lazy as _

from monitio.models.categories import Mode, category, gathered_by_default
from monitio.models.querysets import PrimaryQuerySet, ScopedQuerySet
from monitio.models.rows import scope_field
from monitio.models.schedule import DIGEST_FREQUENCIES, Frequency, Schedule

WEEKDAYS = tuple(dates.WEEKDAYS.items())


def validate_time_zone(name: str) -> None:
    """A name that every copy of the IANA database knows."""
    if name not in available_timezones():
        raise ValidationError(
            _("%(name)s is no IANA time zone such as Europe/Warsaw."), params={"name": name}
        )


class Preferences(models.Model):
    """How a user wants to be mailed. Who has no row is mailed as the messages' authors ask."""

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
    digests_since = models.DateTimeField(default=timezone.now, editable=False)
    # When to look at this user next. While they are claimed: when their sender counts as dead.
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
        return kind.default or (
            Mode.DIGEST if self.frequency in DIGEST_FREQUENCIES else Mode.AT_ONCE
        )

    @property
    def uses_digests(self) -> bool:
        """Whether there is anything a digest could hold."""
        if self.frequency == Frequency.NEVER:
            return False
        modes = {choice.mode for choice in self.chosen.values()}
        return self.frequency in DIGEST_FREQUENCIES or Mode.DIGEST in modes or gathered_by_default()

    @property
    def zone(self) -> ZoneInfo:
        try:
            return ZoneInfo(self.time_zone or django_settings.TIME_ZONE)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            # This machine's IANA database has lost the name, or does not know it yet; or it was
            # written past every check and is none.
            return ZoneInfo(django_settings.TIME_ZONE)

    @property
    def schedule(self) -> Schedule:
        """Who is mailed at once but has a category gathered gets that one daily."""
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
    digests_since = models.DateTimeField(default=timezone.now, editable=False)

    objects = PrimaryQuerySet.as_manager()

    class Meta:
        base_manager_name = "objects"
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
