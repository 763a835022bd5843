"""Faults of an installation that keep messages from pages: database, static files, templates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings as django_settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.files.storage import FileSystemStorage
from django.db import Error, connections, transaction
from django.db.migrations.loader import MigrationLoader
from django.template import TemplateDoesNotExist, engines
from django.template.backends.django import DjangoTemplates
from django.template.loader import get_template
from django.utils.module_loading import import_string

from monitio import dispatch
from monitio.conf import settings
from monitio.management.doctor.registry import (
    ALL_FAILS,
    NO_STYLE,
    NOTHING_LIVE,
    WARNING,
    Site,
    Skip,
    fault,
)
from monitio.models import Heartbeat
from monitio.utils.outage import one_line

# With their kind, as a policy calls it.
FILES = {
    "monitio/monitio.js": "script",
    "monitio/monitio-cards.js": "script",
    "monitio/monitio-inbox.js": "script",
    "monitio/monitio.css": "style",
}
TAG = re.compile(r"{%-?\s*monitio[\s%-]")
ORDER = (
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
)


def our_apps() -> list[Any]:
    return [app for app in apps.get_app_configs() if app.name.partition("_")[0] == "monitio"]


@fault(
    "database.connects",
    symptom=ALL_FAILS,
    cause="The database does not answer.",
    cure="Start the database, or correct DATABASES.",
    docs="install.md",
)
def database_connects(site: Site) -> str | None:
    try:
        connections[dispatch.database()].ensure_connection()
    except Exception as error:
        return one_line(error)
    return None


@fault(
    "database.migrations",
    symptom=ALL_FAILS,
    cause="Migrations have not been applied.",
    cure="Run manage.py migrate.",
    docs="install.md",
)
def migrations_are_applied(site: Site) -> str | None:
    loader = MigrationLoader(connections[dispatch.database()])
    ours = {app.label for app in our_apps()}
    missing = sorted(
        f"{app}.{name}"
        for app, name in loader.graph.nodes.keys() - loader.applied_migrations.keys()
        if app in ours
    )
    return f"Not applied: {', '.join(missing)}." if missing else None


@fault(
    "database.tables",
    symptom=ALL_FAILS,
    cause="A table is missing although its migration counts as applied.",
    cure="Restore it from a backup; or run manage.py migrate monitio zero and manage.py migrate, "
    "which deletes all messages.",
    docs="install.md",
)
def tables_exist(site: Site) -> str | None:
    if migrations_are_applied(site):
        raise Skip("Migrations are missing.")
    connection = connections[dispatch.database()]
    with connection.cursor() as cursor:
        there = set(connection.introspection.table_names(cursor))
    wanted = {model._meta.db_table for app in our_apps() for model in app.get_models()}
    missing = sorted(wanted - there)
    return f"There is no table {', '.join(missing)}." if missing else None


@fault(
    "database.writes",
    symptom=ALL_FAILS,
    cause="The database is read-only: a replica, a full disk, or rights that are missing.",
    cure="Let DATABASES (with DATABASE_ROUTERS) name the primary, by a user who may write.",
    docs="databases.md",
)
def database_takes_rows(site: Site) -> str | None:
    if migrations_are_applied(site):
        raise Skip("Migrations are missing.")
    try:
        with transaction.atomic(using=dispatch.database()):
            Heartbeat.objects.stamp("doctor", 0)
            transaction.set_rollback(True, using=dispatch.database())
    except Error as error:
        return one_line(error)
    return None


@fault(
    "sessions.shared",
    symptom="Users are logged out at random, and their streams end",
    cause="Sessions are in the memory of each process: another process does not know them.",
    cure='Set SESSION_ENGINE = "django.contrib.sessions.backends.db", or give the cache of '
    "SESSION_CACHE_ALIAS a server.",
    docs="serving.md",
)
def sessions_are_shared(site: Site) -> str | None:
    engine, alias = django_settings.SESSION_ENGINE, django_settings.SESSION_CACHE_ALIAS
    if django_settings.DEBUG or not engine.endswith("backends.cache"):
        return None
    backend = django_settings.CACHES.get(alias, {}).get("BACKEND", "")
    is_alone = backend.endswith(("LocMemCache", "DummyCache"))
    return f"The cache {alias!r} is {backend}." if is_alone else None


@fault(
    "asgi.imports",
    symptom="An ASGI server does not start",
    cause="ASGI_APPLICATION names no application, or its module imports a model too early.",
    cure='Set it to the path of the application: "yoursite.asgi.application".',
    docs="serving.md",
)
def asgi_application_is_found(site: Site) -> str | None:
    path = getattr(django_settings, "ASGI_APPLICATION", None)
    if not path:
        raise Skip("ASGI_APPLICATION is not set.")
    try:
        found = import_string(path)
    except Exception as error:
        return f"{path}: {one_line(error)}"
    return None if callable(found) else f"{path} is a {type(found).__name__}."


@fault(
    "middleware.order",
    symptom=ALL_FAILS,
    cause="A middleware comes before the one that it needs.",
    cure="Order MIDDLEWARE: SessionMiddleware, AuthenticationMiddleware, MessageMiddleware.",
    docs="install.md",
)
def middleware_is_in_order(site: Site) -> str | None:
    classes = [import_string(path) for path in django_settings.MIDDLEWARE]
    places = []
    for path in ORDER:
        wanted = import_string(path)
        found = (
            place
            for place, middleware in enumerate(classes)
            if isinstance(middleware, type) and issubclass(middleware, wanted)
        )
        places.append(next(found, None))
    known = [place for place in places if place is not None]
    return None if known == sorted(known) else "MIDDLEWARE has them in another order."


@fault(
    "static.found",
    symptom=NO_STYLE,
    cause="Django does not find monitio's script and style sheet.",
    cure='Add "monitio" to INSTALLED_APPS, and AppDirectoriesFinder to STATICFILES_FINDERS.',
    docs="install.md",
)
def static_files_are_found(site: Site) -> str | None:
    if not apps.is_installed("django.contrib.staticfiles"):
        raise Skip("django.contrib.staticfiles is not installed.")
    missing = [name for name in FILES if not finders.find(name)]
    return f"No finder has {', '.join(missing)}." if missing else None


@fault(
    "static.collected",
    symptom=NO_STYLE,
    cause="collectstatic has not run since the last update, or there is no STATIC_ROOT.",
    cure="Set STATIC_ROOT, run manage.py collectstatic, and restart the site.",
    docs="install.md",
)
def static_files_are_collected(site: Site) -> str | None:
    if not apps.is_installed("django.contrib.staticfiles") or django_settings.DEBUG:
        raise Skip("DEBUG is on, or django.contrib.staticfiles is not installed.")
    is_local = isinstance(staticfiles_storage, FileSystemStorage)
    # WhiteNoise may serve what the finders find.
    if (
        is_local
        and not django_settings.STATIC_ROOT
        and not getattr(django_settings, "WHITENOISE_USE_FINDERS", False)
    ):
        return "STATIC_ROOT is not set."
    try:
        missing = [name for name in FILES if staticfiles_storage.url(name) and is_uncollected(name)]
    except ValueError as error:
        # A storage with a manifest has no entry.
        return str(error)
    return f"STATIC_ROOT has no current {', '.join(missing)}." if missing else None


def is_uncollected(name: str) -> bool:
    """Whether STATIC_ROOT has the file not at all, or in an old version."""
    source = finders.find(name)
    if not django_settings.STATIC_ROOT or not isinstance(source, str):
        return False
    target = Path(django_settings.STATIC_ROOT, name)
    return not target.exists() or target.read_bytes() != Path(source).read_bytes()


@fault(
    "template.tag",
    symptom=NOTHING_LIVE,
    cause="No template has {% monitio %}.",
    cure="Add {% load monitio %} and, before </body>, {% monitio %} to the base template.",
    docs="install.md",
)
def a_template_has_the_tag(site: Site) -> str | None:
    if settings.ADMIN_BELL:
        return None
    folders = [folder for engine in django_engines() for folder in engine.template_dirs]
    if any(TAG.search(text) for text in templates_in(folders)):
        return None
    return f"None of the templates in {len(folders)} folders."


def django_engines() -> list[DjangoTemplates]:
    return [engine for engine in engines.all() if isinstance(engine, DjangoTemplates)]


def templates_in(folders: list[Any]) -> Iterator[str]:
    """The texts of the site's templates: neither Django's nor monitio's own."""
    own = [Path(app.path) for app in our_apps()]
    for folder in map(Path, folders):
        is_own = any(folder.is_relative_to(path) for path in own)
        if is_own or "django/contrib" in folder.as_posix():
            continue
        for path in folder.rglob("*"):
            if path.suffix in {".html", ".htm", ".djhtml", ".txt"} and path.is_file():
                yield path.read_text(errors="replace")


@fault(
    "template.replaced",
    symptom=NOTHING_LIVE,
    cause="An app above monitio in INSTALLED_APPS, or a folder of TEMPLATES, replaces the template "
    "of {% monitio %}.",
    cure="Compare it with monitio's after each update, or remove it.",
    docs="templates.md",
    level=WARNING,
)
def own_template_is_used(site: Site) -> str | None:
    try:
        template: Any = get_template("monitio/tags/messages.html")
    except TemplateDoesNotExist:
        return "The template monitio/tags/messages.html is not found."
    origin = Path(str(template.origin))
    path = Path(apps.get_app_config("monitio").path)
    return None if origin.is_relative_to(path) else f"It is {origin}."
