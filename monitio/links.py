"""Addresses of the site: for e-mails, and for processes that serve no request.

One rule for where the site is mounted, so that all links of an e-mail agree wherever it is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from urllib.parse import urljoin, urlsplit

from django.conf import settings as django_settings
from django.urls import NoReverseMatch, get_script_prefix, reverse, set_script_prefix
from django.utils import translation

from monitio.conf import settings
from monitio.scope import base_url


def mount_point(base: str | None = None) -> str:
    """The path below which the site lies, with a slash at both ends.

    In order of precedence: the path of ``base`` (``MONITIO_BASE_URL``), ``FORCE_SCRIPT_NAME``, the
    SCRIPT_NAME of the request that this thread serves.
    """
    try:
        path = urlsplit(str(settings.BASE_URL if base is None else base)).path.strip("/")
    except ValueError:
        path = ""  # no address; a check reports it
    path = path or (django_settings.FORCE_SCRIPT_NAME or "").strip("/")
    return f"/{path}/" if path else get_script_prefix()


def set_mount_point() -> None:
    """For a task that calls ``reverse()``: Django does it for requests and the main thread only."""
    set_script_prefix(mount_point())


@contextmanager
def for_reader(language: str = "", base: str | None = None) -> Iterator[None]:
    """``reverse()`` and ``{% url %}`` give paths below the mount point, in the reader's language.

    ``language`` is a language code; '' keeps the active one. ``base`` as in ``mount_point``.
    """
    before = get_script_prefix()
    set_script_prefix(mount_point(base))
    try:
        with translation.override(language) if language else nullcontext():
            yield
    finally:
        set_script_prefix(before)


def absolute(url: str) -> str:
    """``url`` as an address that works outside the site; '' where its own is unknown.

    Joined as a browser does on the site's first page: ``/x`` begins at the host, ``x`` at the
    mount point.
    """
    if not url or url.startswith(("http://", "https://")):
        return url
    base = base_url()
    return urljoin(urljoin(base, mount_point(base)), url) if base else ""


def page(name: str, *args: object, language: str = "") -> str:
    """The absolute address of a view of monitio; '' when the site does not have it."""
    with for_reader(language, base_url()):
        try:
            return absolute(reverse(name, args=args))
        except NoReverseMatch:
            return ""
