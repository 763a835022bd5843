"""Imports keep the contracts, and the core works without optional libraries."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import monitio

ROOT = Path(monitio.__file__).parents[1]
OPTIONAL = (
    "celery",
    "kombu",
    "redis",
    "psycopg",
    "urllib3",
    "jwt",
    "standardwebhooks",
    "pywebpush",
    "py_vapid",
    "apprise",
    "anymail",
    "monitio_celery",
)
OWN_MODULES = (
    "monitio.channels.email.bounces",
    "monitio.contrib.tenants",
    "monitio.transports.postgres",
    "monitio.transports.redis",
)


def test_imports_keep_the_contracts_of_setup_cfg() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=ROOT,
        env={"PATH": "", "PYTHONPATH": str(ROOT), "TERM": "dumb"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


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
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", BLOCKED % (OPTIONAL, OWN_MODULES)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 30
