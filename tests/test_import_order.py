"""Imports run downwards only, and the core needs none of the optional libraries."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import monitio

ROOT = Path(monitio.__file__).parent
# A module imports only from lines above its own (and from its own package's base).
LAYERS = """
constants exceptions signals patience storable tempo themes
conf statements
categories schedule throttle
mailing recipients querysets
outcomes tokens
models
preferences
wording transports
handoff
stream mail
channels
deliveries
dispatch digest_mail
digests
visitors
readers writing addressees
repeats transitions
bars
api jobs
queues
storage receivers forms
views
preference_views admin templatetags management checks testing
urls asgi
apps
"""
RANK = {name: rank for rank, line in enumerate(LAYERS.split("\n")) for name in line.split()}
# Imported only when called, because at import it would be a circle: (module, imported).
LATE = {
    ("querysets", "models"),
    ("apps", "checks"),
    ("apps", "receivers"),
    ("apps", "stream"),
    ("checks", "storage"),
}
# Inside these, modules build on each other, the later on the earlier.
INSIDE = {
    "models": [
        "texts", "rows", "jobs", "messages", "deliveries", "digests", "preferences", "notes", "",
    ],
    "stream": [
        "frames", "payload", "hub", "shutdown", "session", "clients", "serving", "endpoint",
    ],
    "handoff": ["base", "nchan", "mercure", ""],
    "transports": ["base", "breaker", "polling", "redis_address", "redis", "postgres", ""],
    "queues": [
        "context", "decorators", "choosing", "running", "cancelling", "progress", "middleware",
    ],
    "channels": ["base", "", "email", "live"],
    "mail": ["", "links", "readers", "compose", "sending"],
    "templatetags": [
        "strings", "page", "monitio", "mark_as_read_by_url", "message_filters",
    ],
}  # fmt: skip
OPTIONAL = (
    "celery",
    "kombu",
    "redis",
    "valkey",
    "psycopg",
    "psycopg2",
    "urllib3",
    "jwt",
    "monitio_celery",
)
FILES = sorted(path for path in ROOT.rglob("*.py") if "migrations" not in path.parts)


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imports(tree: ast.AST, late: bool = False) -> Iterator[tuple[str, bool]]:
    """What a module imports, and whether only when called. For type checkers does not count."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for other in node.orelse:
                yield from imports(other, late)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, late) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "Imports are absolute."
            yield from ((f"{node.module}.{alias.name}", late) for alias in node.names)
        else:
            is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            yield from imports(node, late or is_function)


def own(path: Path) -> Iterator[tuple[str, str, bool]]:
    """The imports within monitio: room, module in it, late."""
    for name, late in imports(ast.parse(path.read_text())):
        top, _, rest = name.partition(".")
        if top == "monitio" and rest:
            room, _, inner = rest.partition(".")
            inner = inner.split(".")[0]
            yield room, inner if (ROOT / room / f"{inner}.py").exists() else "", late


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_run_downwards(path: Path) -> None:
    room, _, inner = name_of(path).partition(".")
    if not room:
        return  # the package itself looks its names up when they are asked for
    assert room in RANK, f"Say in LAYERS where {room} stands."
    for other, module, late in own(path):
        if other not in RANK:
            continue  # a name of the package, such as monitio.INFO
        if other == room and room in INSIDE:
            order = INSIDE[room]
            assert order.index(module) < order.index(inner), f"{name_of(path)} imports {module}"
        elif RANK[other] >= RANK[room]:
            assert late and (room, other) in LATE, f"{name_of(path)} imports {other}"


def test_every_exception_to_the_order_is_still_needed() -> None:
    used = {
        (name_of(path).partition(".")[0], room)
        for path in FILES
        for room, _module, late in own(path)
        if late
    }
    assert used >= LATE


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_optional_libraries_are_imported_by_nobody_but_their_own_module(path: Path) -> None:
    taken = {name.partition(".")[0] for name, _late in imports(ast.parse(path.read_text()))} & set(
        OPTIONAL
    )
    allowed = {
        "transports.redis": {"redis", "valkey"},
        "transports.redis_address": {"redis"},
        "transports.postgres": {"psycopg"},
        "handoff.base": {"urllib3"},
        "handoff.mercure": {"jwt"},
    }
    assert taken <= allowed.get(name_of(path), set())


BLOCKED = """
import importlib, importlib.abc, pkgutil, sys

class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in %r:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
import monitio
assert "django.db.models.base" not in sys.modules, "monitio is imported before apps are ready"

import django
from django.conf import settings
settings.configure(
    SECRET_KEY="x", USE_TZ=True,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.admin",
        "django.contrib.sessions", "django.contrib.messages", "monitio"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    MESSAGE_STORAGE="monitio.storage.PersistentMessageStorage",
)
django.setup()
names = [m.name for m in pkgutil.walk_packages(monitio.__path__, "monitio.")]
for name in names:
    if name not in %r:
        importlib.import_module(name)
for name in monitio.__all__:
    getattr(monitio, name)
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.contrib.auth import get_user_model
monitio.create_message(get_user_model().objects.create(), monitio.INFO, "works")
print(len(names))
"""


def test_all_of_the_core_works_without_celery_redis_and_psycopg() -> None:
    own_modules = ("monitio.transports.redis", "monitio.transports.postgres")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", BLOCKED % (OPTIONAL, own_modules)],
        cwd=ROOT.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 30
