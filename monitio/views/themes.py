"""The themes that come with monitio: style sheets that map its custom properties."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured

BUILT_IN = ("admin", "bootstrap5", "foundation", "jqueryui")


def stylesheet(theme: str) -> str:
    """The static file of a theme: a built-in one by its name, any other by its path.

    '' is the default theme, which needs no file. Raises ``ImproperlyConfigured``.
    """
    if theme in BUILT_IN:
        return f"monitio/themes/{theme}.css"
    if not theme or theme.endswith(".css"):
        return theme
    raise ImproperlyConfigured(
        f"There is no theme {theme!r}. Use one of {', '.join(BUILT_IN)}, the static path of a "
        'style sheet of yours ("shop/monitio.css"), or "" for the default look.'
    )
