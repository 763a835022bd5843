"""Whether ``MIDDLEWARE`` names a class."""

from __future__ import annotations

from django.conf import settings as django_settings
from django.utils.module_loading import import_string


def has_middleware(wanted: type) -> bool:
    """Whether ``MIDDLEWARE`` holds this class or a subclass of it."""
    for path in django_settings.MIDDLEWARE:
        try:
            middleware = import_string(path)
        except ImportError:
            continue  # Django reports it
        if isinstance(middleware, type) and issubclass(middleware, wanted):
            return True
    return False
