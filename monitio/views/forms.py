"""Forms of the inbox and of the preferences."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import time, timedelta
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings as django_settings
from django.utils import timezone
from django.utils.formats import time_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from monitio.messages.inbox import Filter
from monitio.models import WEEKDAYS, Preferences
from monitio.models.categories import Category, Mode
from monitio.models.schedule import Frequency

WEEK = timedelta(days=7)
LEVELS = {
    "debug": _("Debug"),
    "info": _("Info"),
    "success": _("Success"),
    "warning": _("Warning"),
    "error": _("Error"),
}


class ReplyForm(forms.Form):
    message = forms.CharField(
        label=_("Your reply"), max_length=10_000, widget=forms.Textarea(attrs={"rows": 5})
    )


class SearchForm(forms.Form):
    """Filters of the inbox; invalid ones are ignored. ``used``: the categories of its messages."""

    text = forms.CharField(required=False, max_length=200)
    level = forms.ChoiceField(required=False, choices=LEVELS.items())
    category = forms.ChoiceField(required=False)
    # The messages without a category.
    other = forms.BooleanField(required=False)
    unread = forms.BooleanField(required=False)
    running = forms.BooleanField(required=False)
    attention = forms.BooleanField(required=False)
    week = forms.BooleanField(required=False)

    def __init__(self, data: Any, *, used: Iterable[str]) -> None:
        super().__init__(data)
        self.fields["category"].choices = [(name, name) for name in used]  # type: ignore[attr-defined]
        self.is_valid()
        # The valid ones, by name.
        self.chosen = {name: value for name, value in self.cleaned_data.items() if value}

    def wanted(self) -> Filter:
        chosen = self.chosen
        return Filter(
            **{name: name in chosen for name in ("unread", "running", "attention")},
            level=chosen.get("level", ""),
            category="" if "other" in chosen else chosen.get("category"),
            text=chosen.get("text", ""),
            since=timezone.now() - WEEK if "week" in chosen else None,
        )


class ClockInput(forms.TimeInput):
    input_type = "time"

    def __init__(self) -> None:
        # Browsers send and expect this format in every language.
        super().__init__(format="%H:%M")


class PreferencesForm(forms.Form):
    """The preferences of one user, with a choice for each category that is not essential."""

    frequency = forms.ChoiceField(label=_("E-mail me"), choices=Frequency.choices)
    hour = forms.TypedChoiceField(label=_("Digest at"), coerce=int)
    weekday = forms.TypedChoiceField(label=_("Weekly digest on"), coerce=int, choices=WEEKDAYS)
    time_zone = forms.ChoiceField(label=_("Time zone"), required=False)
    quiet_from = forms.TimeField(label=_("From"), required=False, widget=ClockInput)
    quiet_to = forms.TimeField(label=_("Until"), required=False, widget=ClockInput)

    def __init__(self, data: Any, *, row: Preferences, kinds: Iterable[Category]) -> None:
        names = ("frequency", "hour", "weekday", "time_zone", "quiet_from", "quiet_to")
        super().__init__(data, initial={name: getattr(row, name) for name in names})
        self.fields["hour"].choices = [  # type: ignore[attr-defined]
            (hour, time_format(time(hour), "TIME_FORMAT")) for hour in range(24)
        ]
        self.fields["time_zone"].choices = _zones(row.time_zone)  # type: ignore[attr-defined]
        self.row = row
        self.essential = [kind for kind in kinds if kind.essential]
        self.kinds = {f"category:{kind.name}": kind for kind in kinds if not kind.essential}
        for name, kind in self.kinds.items():
            chosen = row.chosen.get(kind.name)
            usual = gettext("Same as above")
            if kind.default is not None:
                usual = gettext("Default: %(mode)s") % {"mode": Mode(kind.default).label}
            self.fields[name] = forms.ChoiceField(
                label=kind.title,
                required=False,
                choices=[("", usual), *Mode.choices],
                initial=chosen.mode if chosen else "",
            )

    def category_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.kinds]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        clocks = {name: values.get(name) for name in ("quiet_from", "quiet_to")}
        Preferences(**clocks).clean()
        return values

    def wanted(self) -> dict[str, Any]:
        """Keyword arguments for ``preferences.change``."""
        values = dict(self.cleaned_data)
        choices = {kind.name: values.pop(name) or None for name, kind in self.kinds.items()}
        return {**values, "categories": choices}


def _zones(present: str) -> list[tuple[str, str]]:
    """Time zones named after a city, and the one that is selected now."""
    known = {name for name in available_timezones() if "/" in name and not name.startswith("Etc/")}
    names = sorted(known | {"UTC"} | ({present} if present else set()))
    site = gettext("Site default: %(zone)s") % {"zone": django_settings.TIME_ZONE}
    return [("", site), *((name, name.replace("_", " ")) for name in names)]
