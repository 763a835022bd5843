"""Who reads an e-mail: their address, language and time zone."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

from django.conf import settings as django_settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from monitio import preferences
from monitio.exceptions import PermanentFailure
from monitio.models import Message


def address_of(user: Any) -> str:
    """Raises ``PermanentFailure`` when there is nobody to write to."""
    if user is None:
        raise PermanentFailure("An anonymous visitor has no e-mail address.")
    if not user.is_active:
        raise PermanentFailure("The user is not active.")
    address = _address(user)
    if not address:
        raise PermanentFailure("The user has no e-mail address.")
    return address


def sender_of(message: Message) -> str:
    """The address of the user who sent the message; '' when nobody can be answered."""
    sender: Any = message.from_user
    if sender is None or not sender.is_active:
        return ""
    address = _address(sender)
    try:
        validate_email(address)
    except ValidationError:
        return ""
    return address


def language_of(message: Message) -> str:
    """What the recipient read the site in, else the site's own language."""
    return message.language or django_settings.LANGUAGE_CODE


def time_zone_of(user: Any) -> tzinfo:
    """Where the user's clock stands; the site's own time zone when nobody knows."""
    return preferences.for_user(user).zone


def _address(user: Any) -> str:
    return str(getattr(user, user.get_email_field_name(), "") or "")
