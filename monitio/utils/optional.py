"""Optional libraries, imported only where they are used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.core.exceptions import ImproperlyConfigured


def import_optional(module: str, *, extra: str, needed_by: str) -> Any:
    """The top-level package of ``module``.

    Raises ``ImproperlyConfigured`` with the pip command when it is not installed.
    """
    try:
        import_module(module)
        return import_module(module.partition(".")[0])
    except ImportError as error:
        raise ImproperlyConfigured(
            f'{needed_by} needs {module.partition(".")[0]}: pip install "monitio[{extra}]"'
        ) from error
