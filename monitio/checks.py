"""System checks: each names the installation step that is missing. Listed in docs/checks.md."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings as django_settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import FileSystemStorage
from django.db import connections
from django.urls import NoReverseMatch, reverse
from django.utils.module_loading import import_string

from monitio import scope
from monitio.channels import get_channel
from monitio.conf import settings
from monitio.models import categories
from monitio.models.files import file_storage
from monitio.transports import get_hub, get_transport
from monitio.utils import authentication, client_address, encryption
from monitio.utils.middleware import has_middleware
from monitio.views import themes

Apps = Sequence[AppConfig] | None
Messages = list[checks.CheckMessage]


def register() -> None:
    for check in CHECKS:
        checks.register(check, "monitio")
    checks.register(check_reachable, "monitio", deploy=True)
    checks.register(check_wsgi, "monitio", deploy=True)


def needs_sound_settings(check: Callable[..., Messages]) -> Callable[..., Messages]:
    """Skip ``check`` while a setting has a value of the wrong type: check_settings reports it."""

    @functools.wraps(check)
    def checked(app_configs: Apps, **kwargs: Any) -> Messages:
        is_sound = not any(settings.mistakes()) and not _legacy_redis()
        return check(app_configs, **kwargs) if is_sound else []

    return checked


def check_storage(app_configs: Apps, **kwargs: Any) -> Messages:
    """MESSAGE_STORAGE is monitio's, or a subclass."""
    from monitio.storage import PersistentMessageStorage

    path = django_settings.MESSAGE_STORAGE
    try:
        storage = import_string(path)
    except ImportError as error:
        return [
            checks.Error(
                f"MESSAGE_STORAGE = {path!r} cannot be imported: {error}.",
                hint='Set MESSAGE_STORAGE = "monitio.storage.PersistentMessageStorage".',
                id="monitio.E001",
            )
        ]
    if isinstance(storage, type) and issubclass(storage, PersistentMessageStorage):
        return []
    return [
        checks.Warning(
            f"MESSAGE_STORAGE is {path!r}, so this site does not use monitio for its messages.",
            hint='Set MESSAGE_STORAGE = "monitio.storage.PersistentMessageStorage".',
            id="monitio.W002",
        )
    ]


def check_apps(app_configs: Apps, **kwargs: Any) -> Messages:
    """The framework and its middleware are installed."""
    needed = [
        ("django.contrib.messages.middleware.MessageMiddleware", "monitio.W003"),
        ("django.contrib.sessions.middleware.SessionMiddleware", "monitio.W004"),
        ("django.contrib.auth.middleware.AuthenticationMiddleware", "monitio.W005"),
    ]
    missing: Messages = [
        checks.Warning(
            f"MIDDLEWARE has neither {path} nor a subclass.",
            hint=f"Add {path!r} to MIDDLEWARE.",
            id=identifier,
        )
        for path, identifier in needed
        if not has_middleware(import_string(path))
    ]
    if not apps.is_installed("django.contrib.staticfiles"):
        missing.append(
            checks.Info(
                "django.contrib.staticfiles is not installed.",
                hint="Serve monitio's static files another way, or pop-ups stay plain text.",
                id="monitio.I006",
            )
        )
    return missing


def check_templates(app_configs: Apps, **kwargs: Any) -> Messages:
    """Templates have the request."""
    templates: list[dict[str, Any]] = django_settings.TEMPLATES
    engines = [
        engine
        for engine in templates
        if engine.get("BACKEND") == "django.template.backends.django.DjangoTemplates"
    ]
    processors = [
        path
        for engine in engines
        for path in engine.get("OPTIONS", {}).get("context_processors", [])
    ]
    if not engines or "django.template.context_processors.request" in processors:
        return []
    return [
        checks.Warning(
            "Templates have no request, which {% monitio %} needs.",
            hint="Add 'django.template.context_processors.request' to the context_processors.",
            id="monitio.W007",
        )
    ]


def check_urls(app_configs: Apps, **kwargs: Any) -> Messages:
    """monitio.urls is included somewhere."""
    if not getattr(django_settings, "ROOT_URLCONF", None):
        return []
    try:
        reverse("message_stream")
    except NoReverseMatch:
        return [
            checks.Warning(
                "monitio's pages and its live stream have no URL.",
                hint='Add path("messages/", include("monitio.urls")) to the URL configuration, '
                "outside any namespace.",
                id="monitio.W008",
            )
        ]
    return []


def check_settings(app_configs: Apps, **kwargs: Any) -> Messages:
    """No MONITIO_ setting is misspelt, and each has a value of its kind."""
    found = settings.check(misspelt="monitio.W009", wrong="monitio.E015")
    return [*found, *_legacy_redis()]


def check_celery_settings(app_configs: Apps, **kwargs: Any) -> Messages:
    """Settings of monitio_celery have an effect."""
    ours = [name for name in dir(django_settings) if name.startswith("MONITIO_CELERY_")]
    if not ours or apps.is_installed("monitio_celery"):
        return []
    return [
        checks.Warning(
            f'{", ".join(ours)}: without effect, because "monitio_celery" is not installed.',
            hint='Add "monitio_celery" to INSTALLED_APPS, or remove the settings.',
            id="monitio.W009",
        )
    ]


def _legacy_redis() -> Messages:
    value = getattr(django_settings, "REDIS_SSEQUEUE_CONNECTION_SETTINGS", None)
    if value is None or isinstance(value, Mapping):
        return []
    return [
        checks.Error(
            f"REDIS_SSEQUEUE_CONNECTION_SETTINGS is a {type(value).__name__}. "
            "It must be a dictionary.",
            hint='For example {"location": "127.0.0.1:6379", "db": 0}.',
            id="monitio.E015",
        )
    ]


@needs_sound_settings
def check_stream(app_configs: Apps, **kwargs: Any) -> Messages:
    """MONITIO_STREAM names a hub that can be loaded."""
    try:
        get_hub()
    except ImproperlyConfigured as error:
        return [
            checks.Error(
                str(error),
                hint="Correct MONITIO_STREAM (docs/hubs.md), or remove it: the web processes then "
                "hold the streams.",
                id="monitio.E030",
            )
        ]
    return []


@needs_sound_settings
def check_scope(app_configs: Apps, **kwargs: Any) -> Messages:
    """MONITIO_SCOPE works, and a site of several tenants has one."""
    if not settings.SCOPE and apps.is_installed("django_tenants"):
        return [
            checks.Error(
                "django-tenants is installed without MONITIO_SCOPE: users of one tenant would get "
                "the messages of those with the same primary key in another.",
                hint='Set MONITIO_SCOPE = "monitio.contrib.tenants.TenantScope" (docs/tenants.md).',
                id="monitio.E061",
            )
        ]
    try:
        scope.current()
    except Exception as error:
        return [
            checks.Error(
                f"MONITIO_SCOPE cannot be used. {type(error).__name__}: {error}",
                hint="See docs/tenants.md.",
                id="monitio.E060",
            )
        ]
    return []


@needs_sound_settings
def check_transport(app_configs: Apps, **kwargs: Any) -> Messages:
    """MONITIO_TRANSPORT names a transport that can be loaded."""
    if settings.STREAM:
        return []  # a hub takes its place
    try:
        get_transport()
    except ImproperlyConfigured as error:
        return [
            checks.Error(
                str(error),
                hint="Correct MONITIO_TRANSPORT, or remove it to use the database itself.",
                id="monitio.E010",
            )
        ]
    return []


@needs_sound_settings
def check_client_address(app_configs: Apps, **kwargs: Any) -> Messages:
    """MONITIO_CLIENT_ADDRESS can be loaded."""
    try:
        client_address.load()
    except ImproperlyConfigured as error:
        return [
            checks.Error(
                str(error),
                hint='Use the key of request.META that your proxy sets ("HTTP_X_REAL_IP"), or '
                "the dotted path of a function that takes the request.",
                id="monitio.E040",
            )
        ]
    return []


@needs_sound_settings
def check_authentication(app_configs: Apps, **kwargs: Any) -> Messages:
    """Every function of MONITIO_AUTHENTICATION can be loaded."""
    try:
        authentication.load()
    except ImproperlyConfigured as error:
        return [
            checks.Error(
                str(error),
                hint="Use the dotted paths of functions that take a request and return its user or "
                "None (docs/tokens.md).",
                id="monitio.E042",
            )
        ]
    return []


@needs_sound_settings
def check_theme(app_configs: Apps, **kwargs: Any) -> Messages:
    """MONITIO_THEME names a theme."""
    try:
        themes.stylesheet(settings.THEME)
    except ImproperlyConfigured as error:
        return [checks.Error(str(error), hint="Correct MONITIO_THEME.", id="monitio.E041")]
    return []


@needs_sound_settings
def check_channels(app_configs: Apps, **kwargs: Any) -> Messages:
    """Every channel of MONITIO_CHANNELS can be loaded, and has what it needs."""
    found: Messages = []
    for name in settings.CHANNELS:
        try:
            found += get_channel(name).check()
        except (ImportError, ImproperlyConfigured) as error:
            found.append(
                checks.Error(
                    f"The channel {name!r} of MONITIO_CHANNELS cannot be loaded: {error}",
                    hint="Correct its dotted path, which names a subclass of monitio's Channel, or "
                    "install what it needs.",
                    id="monitio.E012",
                )
            )
    return found


@needs_sound_settings
def check_categories(app_configs: Apps, **kwargs: Any) -> Messages:
    """MONITIO_CATEGORIES is valid."""
    return [
        checks.Error(
            f"MONITIO_CATEGORIES is wrong. {mistake}",
            hint='For example {"exports": {"title": "Exports", "default": "digest"}}.',
            id="monitio.E032",
        )
        for mistake in categories.mistakes(settings.CATEGORIES)
    ]


def check_files(app_configs: Apps, **kwargs: Any) -> Messages:
    """STORAGES["monitio"] lies outside MEDIA_ROOT, whose files are public."""
    root = django_settings.MEDIA_ROOT
    try:
        storage = file_storage()
    except ImproperlyConfigured:
        return []  # attach() raises it
    if not root or not isinstance(storage, FileSystemStorage):
        return []
    folder = Path(storage.location).resolve()
    if not folder.is_relative_to(Path(root).resolve()):
        return []
    return [
        checks.Warning(
            f'STORAGES["monitio"] lies inside MEDIA_ROOT ({folder}): where MEDIA_ROOT is served, '
            "the files of tasks are public.",
            hint='Give it a folder outside: "OPTIONS": {"location": "/srv/site/private"} '
            "(docs/files.md).",
            id="monitio.W070",
        )
    ]


@needs_sound_settings
def check_encryption(app_configs: Apps, **kwargs: Any) -> Messages:
    """MONITIO_ENCRYPTION can be loaded, and has its methods."""
    try:
        if settings.ENCRYPTION:
            encryption.load()
    except Exception as error:
        return [
            checks.Error(
                f"MONITIO_ENCRYPTION cannot be used. {type(error).__name__}: {error}",
                hint="Use the dotted path of a class or an object that has encrypt(text) and "
                "decrypt(text).",
                id="monitio.E071",
            )
        ]
    return []


def check_sqlite(app_configs: Apps, **kwargs: Any) -> Messages:
    """In production, SQLite is set up so that writers wait for each other instead of failing."""
    from monitio import dispatch

    connection = connections[dispatch.database()]
    options = connection.settings_dict.get("OPTIONS", {})
    mode = str(options.get("transaction_mode") or "DEFERRED").upper()
    if django_settings.DEBUG or connection.vendor != "sqlite" or mode != "DEFERRED":
        return []
    return [
        checks.Warning(
            f"The database {connection.alias!r} is SQLite with deferred transactions: one that "
            'reads before it writes fails with "database is locked" while a worker writes.',
            hint='Give it "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20, '
            '"init_command": "PRAGMA journal_mode=WAL"}.',
            id="monitio.W013",
        )
    ]


CHECKS = (
    check_settings,
    check_celery_settings,
    check_storage,
    check_apps,
    check_templates,
    check_urls,
    check_scope,
    check_transport,
    check_stream,
    check_client_address,
    check_authentication,
    check_theme,
    check_channels,
    check_categories,
    check_files,
    check_encryption,
    check_sqlite,
)


@needs_sound_settings
def check_reachable(app_configs: Apps, **kwargs: Any) -> Messages:
    """With --deploy: the transport can be reached."""
    try:
        found = get_transport().check()
    except ImproperlyConfigured:
        return []  # check_transport or check_stream reports it
    return found


@needs_sound_settings
def check_wsgi(app_configs: Apps, **kwargs: Any) -> Messages:
    """With --deploy: a site that may be served by WSGI has a limit for live streams."""
    is_chosen = settings.STREAM or settings.STREAMS_PER_PROCESS is not None
    if is_chosen or getattr(django_settings, "ASGI_APPLICATION", None):
        return []
    return [
        checks.Info(
            "Served by WSGI without greenlets, open pages poll: no limit for live streams is set.",
            hint="Serve the site by ASGI, use monitio.contrib.gunicorn, or set "
            "MONITIO_STREAMS_PER_PROCESS below the number of threads (docs/serving.md).",
            id="monitio.I050",
        )
    ]
