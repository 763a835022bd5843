"""Forms of the inbox and of the preferences."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import time, timedelta
from typing import Any, NamedTuple
from zoneinfo import available_timezones

from django import forms
from django.conf import settings as django_settings
from django.utils import timezone
from django.utils.formats import time_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from monitio.channels import Channel, get_channel
from monitio.conf import settings
from monitio.constants import EMAIL
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
    """Filters of the inbox; invalid ones are ignored. ``used`` are its messages' categories."""

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

    def as_filter(self) -> Filter:
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


class _CategoryFields(NamedTuple):
    category: Category
    # Names of its fields, one for each channel; empty where it is essential.
    names: list[str]


class PreferencesForm(forms.Form):
    """The preferences of one user, with a choice for each category and channel."""

    frequency = forms.ChoiceField(label=_("E-mail me"), choices=Frequency.choices)
    hour = forms.TypedChoiceField(label=_("Digest at"), coerce=int)
    weekday = forms.TypedChoiceField(label=_("Weekly digest on"), coerce=int, choices=WEEKDAYS)
    time_zone = forms.ChoiceField(label=_("Time zone"), required=False)
    quiet_from = forms.TimeField(label=_("From"), required=False, widget=ClockInput)
    quiet_to = forms.TimeField(label=_("Until"), required=False, widget=ClockInput)

    def __init__(self, data: Any, *, row: Preferences, categories: Iterable[Category]) -> None:
        names = ("frequency", "hour", "weekday", "time_zone", "quiet_from", "quiet_to")
        initial = {name: getattr(row, name) for name in names}
        super().__init__(data, initial=initial, label_suffix="")
        self.fields["hour"].choices = [  # type: ignore[attr-defined]
            (hour, time_format(time(hour), "H:i")) for hour in range(24)
        ]
        self.fields["time_zone"].choices = _zones(row.time_zone)  # type: ignore[attr-defined]
        self.row = row
        self.site_zone = django_settings.TIME_ZONE
        self.channels = sorted(
            map(get_channel, settings.CHANNELS), key=lambda channel: channel.name != EMAIL
        )
        # Field name: category and channel.
        self.choices: dict[str, tuple[str, str]] = {}
        self.category_fields = [
            _CategoryFields(
                category, [self._add_field(category, channel) for channel in self.channels]
            )
            for category in categories
        ]

    def _add_field(self, category: Category, channel: Channel) -> str:
        """The name of a new field for this category and channel; "" for an essential one."""
        if category.essential:
            return ""
        is_email = channel.name == EMAIL
        name = f"{'category' if is_email else channel.name}:{category.name}"
        default = gettext("Same as above") if is_email else Mode.AT_ONCE.label
        if category.default is not None:
            mode = _label(category.default, is_email)
            default = gettext("Default: %(mode)s") % {"mode": mode}
        # Only e-mails have digests.
        modes = [mode for mode in Mode if is_email or mode != Mode.DIGEST]
        chosen = self.row.chosen_for(channel.name).get(category.name)
        self.choices[name] = category.name, channel.name
        self.fields[name] = forms.ChoiceField(
            required=False,
            choices=[("", default), *((mode.value, _label(mode, is_email)) for mode in modes)],
            initial=chosen.mode if chosen else "",
            widget=forms.Select(attrs={"aria-label": f"{category.title}: {channel.label}"}),
        )
        return name

    def table(self) -> list[tuple[Category, list[tuple[Channel, forms.BoundField]]]]:
        """Each category with its channels and their fields; none where it is essential."""
        return [
            (
                category,
                [
                    (channel, self[name])
                    for channel, name in zip(self.channels, names, strict=True)
                    if name
                ],
            )
            for category, names in self.category_fields
        ]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        clocks = {name: values.get(name) for name in ("quiet_from", "quiet_to")}
        Preferences(**clocks).clean()
        return values

    def changes(self) -> dict[str, Any]:
        """Keyword arguments for ``preferences.change``."""
        values = dict(self.cleaned_data)
        channels: dict[str, dict[str, str | None]] = {}
        for name, (category, channel) in self.choices.items():
            channels.setdefault(channel, {})[category] = values.pop(name) or None
        return {**values, "categories": channels.pop(EMAIL, {}), "channels": channels}


def _label(mode: Mode, is_email: bool) -> str:
    return gettext("Off") if mode == Mode.OFF and not is_email else str(mode.label)


def _zones(present: str) -> list[tuple[str, str]]:
    """Time zones named after a city, and the one that is selected now."""
    known = {name for name in available_timezones() if "/" in name and not name.startswith("Etc/")}
    names = sorted(known | {"UTC"} | ({present} if present else set()))
    site = gettext("Site default: %(zone)s") % {"zone": django_settings.TIME_ZONE}
    return [("", site), *((name, name.replace("_", " ")) for name in names)]
