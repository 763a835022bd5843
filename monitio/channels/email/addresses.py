"""The address and the language of an e-mail's recipient."""

from __future__ import annotations

from typing import Any

from django.conf import settings as django_settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from monitio.channels.destinations import why_no_email
from monitio.exceptions import PermanentFailure, Skipped
from monitio.models import Message, Preferences


def email_address(user: Any) -> str:
    """Raises ``PermanentFailure`` for a user who cannot be e-mailed, ``Skipped`` for an address
    that is disabled.
    """
    if user is None:
        raise PermanentFailure("An anonymous visitor has no e-mail address.")
    if not user.is_active:
        raise PermanentFailure("The user is not active.")
    address = _address(user)
    if not address:
        raise PermanentFailure("The user has no e-mail address.")
    reason = why_no_email(user, address)
    if reason:
        raise Skipped(f"This address is disabled: {reason}")
    return address


def sender_of(message: Message) -> str:
    """The address of the user who sent the message; '' without a valid one."""
    sender: Any = message.from_user
    if sender is None or not sender.is_active:
        return ""
    address = _address(sender)
    try:
        validate_email(address)
    except ValidationError:
        return ""
    return address


def language_of(chosen: Preferences, read_in: str) -> str:
    """The language they chose, else the one they use the site in, else the site's."""
    return chosen.language or read_in or chosen.last_language or django_settings.LANGUAGE_CODE


def _address(user: Any) -> str:
    return str(getattr(user, user.get_email_field_name(), "") or "")
