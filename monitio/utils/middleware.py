"""The classes that ``MIDDLEWARE`` names."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.conf import settings as django_settings
from django.utils.module_loading import import_string

from monitio.conf import when_overridden


@cache
def find_middleware(wanted: type) -> Any:
    """The first class of ``MIDDLEWARE`` that is this one or a subclass of it; None without one."""
    for path in django_settings.MIDDLEWARE:
        try:
            middleware = import_string(path)
        except ImportError:
            continue  # Django reports it
        if isinstance(middleware, type) and issubclass(middleware, wanted):
            return middleware
    return None


when_overridden(find_middleware.cache_clear, "MIDDLEWARE")


def has_middleware(wanted: type) -> bool:
    """Whether ``MIDDLEWARE`` holds this class or a subclass of it."""
    return find_middleware(wanted) is not None
