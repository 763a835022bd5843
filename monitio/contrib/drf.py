"""Django REST framework: MONITIO_AUTHENTICATION = ["monitio.contrib.drf.authenticate"]."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.settings import api_settings


def authenticate(request: HttpRequest) -> Any:
    """The user whom the site's ``DEFAULT_AUTHENTICATION_CLASSES`` name, or None.

    Raises ``PermissionDenied`` for credentials that they refuse.
    """
    classes: Any = api_settings.DEFAULT_AUTHENTICATION_CLASSES
    try:
        user = Request(request, authenticators=[one() for one in classes]).user
    except APIException as error:
        detail: Any = error.detail
        # Simple JWT has a dictionary of reasons.
        text = detail.get("detail", detail) if isinstance(detail, dict) else detail
        raise PermissionDenied(str(text)) from None
    return user if user is not None and user.is_authenticated else None
