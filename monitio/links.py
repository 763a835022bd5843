"""URLs of the site: for e-mails, and for processes that serve no request.

One rule for the mount point of the site, so that all links of an e-mail agree in every process.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache, lru_cache
from urllib.parse import urljoin, urlsplit

from django.conf import settings as django_settings
from django.core import signing
from django.urls import NoReverseMatch, get_script_prefix, reverse, set_script_prefix
from django.utils import translation

from monitio import scope as scopes
from monitio.conf import settings
from monitio.scope import base_url

logger = logging.getLogger("monitio")


def mount_point(base: str | None = None) -> str:
    """The path below which the site lies, with a slash at both ends.

    In order of precedence: the path of ``base`` (``MONITIO_BASE_URL``), ``FORCE_SCRIPT_NAME``, the
    SCRIPT_NAME of the request that this thread serves.
    """
    path = _configured_path(settings.BASE_URL if base is None else base)
    return f"/{path}/" if path else get_script_prefix()


def _configured_path(base: object) -> str:
    try:
        path = urlsplit(str(base)).path.strip("/")
    except ValueError:
        path = ""  # invalid; a system check reports it
    return path or (django_settings.FORCE_SCRIPT_NAME or "").strip("/")


def check_prefix() -> None:
    """Log, once a process, that workers do not know the SCRIPT_NAME of this request."""
    prefix = get_script_prefix()
    if prefix != "/" and settings.BASE_URL and not _configured_path(settings.BASE_URL):
        _warn_of_prefix(prefix, urljoin(settings.BASE_URL, prefix))


@cache
def _warn_of_prefix(prefix: str, url: str) -> None:
    logger.warning(
        "This site lies below %s, which workers do not know: links in their e-mails lead nowhere. "
        "Set MONITIO_BASE_URL = %r.",
        prefix,
        url,
    )


def set_mount_point() -> None:
    """For a task that calls ``reverse()``: Django does it for requests and the main thread only."""
    set_script_prefix(mount_point())


@contextmanager
def for_recipient(language: str = "", base: str | None = None) -> Iterator[None]:
    """Let ``reverse()`` and ``{% url %}`` use the mount point and the recipient's language.

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
    """``url`` as an absolute URL; '' when the site's own is unknown.

    Joined as a browser does on the site's first page: ``/x`` begins at the host, ``x`` at the
    mount point.
    """
    if not url or url.startswith(("http://", "https://")):
        return url
    base = base_url()
    return urljoin(_root(base, mount_point(base)), url) if base else ""


@lru_cache  # an e-mail has a dozen links
def _root(base: str, mount: str) -> str:
    return urljoin(base, mount)


def page(name: str, *args: object, language: str = "") -> str:
    """The absolute URL of a view of monitio; '' when the site does not have it."""
    with for_recipient(language, base_url()):
        try:
            return absolute(reverse(name, args=args))
        except NoReverseMatch:
            return ""


def file_page(message_id: int, file_id: int) -> str:
    """The absolute URL of a file of a message's job; signed with ``MONITIO_FILES_SIGNED_LINKS``."""
    if settings.FILES_SIGNED_LINKS:
        return page("message_signed_file", _file_signer().sign_object([message_id, file_id]))
    return page("message_file", message_id, file_id)


def read_file_token(token: str) -> tuple[int, int]:
    """The ids of the message and the file. Raises ``BadSignature``."""
    message_id, file_id = _file_signer().unsign_object(token)
    return message_id, file_id


def _file_signer() -> signing.Signer:
    return signing.Signer(salt=scopes.key_in(scopes.current(), "monitio.file"))
