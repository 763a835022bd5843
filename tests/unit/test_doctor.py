"""The doctor, a system check or a page finds each broken installation of docs/doctor.md."""

from __future__ import annotations

import json
import re
import shutil
import time
from copy import deepcopy
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import django
import pytest
from celery import Celery
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import override_settings
from django.utils import timezone

from monitio.management.doctor import client, pages, transport, web, work  # noqa: F401 - they register faults
from monitio.management.doctor.registry import (
    ERROR,
    FAULTS,
    OK,
    SKIPPED,
    Site,
    Skip,
    examine,
    of_checks,
)
from monitio.models import Heartbeat, Job
from monitio_celery import checks as celery_checks
from monitio_celery import diagnosis, monitio_doctor
from monitio_celery.monitio_doctor import Workers, workers
from monitio_celery.signals import heartbeat
from tests.support.jobs import report, reporter

pytestmark = pytest.mark.django_db(transaction=True)

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def _migrated(django_db_setup: None, django_db_blocker: Any) -> None:
    """Record the migrations as applied: tests create the tables from the models."""
    with django_db_blocker.unblock():
        call_command("migrate", fake=True, verbosity=0)


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("static")
    with override_settings(STATIC_ROOT=folder):
        call_command("collectstatic", interactive=False, verbosity=0)
    return folder


@pytest.fixture
def site(_migrated: None, collected: Path, settings: Any, tmp_path: Path) -> Site:
    """A healthy site, which the tests break."""
    (tmp_path / "base.html").write_text("{% load monitio %}<body>{% monitio %}</body>")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    settings.STATIC_ROOT = collected
    settings.MONITIO_BASE_URL = ""
    settings.DEFAULT_FROM_EMAIL = "site@example.com"
    Heartbeat.objects.stamp("beat", 60)
    found = Site()
    set_worker_reply(found)
    return found


def set_worker_reply(site: Site, **changes: Any) -> None:
    """Set a worker's reply: the state of this process with these changes."""
    here = {**diagnosis.describe("n"), "database": True}
    there = {**deepcopy(here), "queues": ["celery"], **changes}
    now = time.time()
    found = Workers(here, ["w@host"], {"w@host": there}, now - 1, now + 1, set())
    site.asked[workers] = found


def look(site: Site, identifier: str) -> str | None:
    return FAULTS[identifier].look(site)


def test_each_finding_has_a_status_an_observation_and_a_fix(settings: Any, site: Site) -> None:
    settings.MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"
    settings.MONITIO_TRANSPORT = "redis"
    settings.MONITIO_REDIS_URL = "redis://127.0.0.1:1/0"
    out = StringIO()
    with pytest.raises(CommandError, match=r"errors?: .*transport\.event"):
        call_command("monitio_doctor", "--json", stdout=out)
    found = {entry["id"]: entry for entry in json.loads(out.getvalue())}
    # Reported by a check, and by the doctor.
    assert found["monitio.W002"]["status"] == "warning"
    assert found["transport.event"]["status"] == ERROR
    assert "Connection refused" in found["transport.event"]["saw"]
    assert found["transport.event"]["cure"].startswith("Start the server")
    assert found["transport.event"]["docs"] == "docs/transports.md"
    assert found["database.connects"]["status"] == OK


def test_a_healthy_site_has_no_error(site: Site) -> None:
    found = [finding for finding in examine(site) if finding.status == ERROR]
    assert found == []


def test_migrations_that_were_forgotten(site: Site) -> None:
    recorder = MigrationRecorder(connection)
    recorder.record_unapplied("monitio", "0019_heartbeat")
    try:
        assert "monitio.0019_heartbeat" in str(look(site, "database.migrations"))
        assert "database.tables" in [f.id for f in examine(site) if f.status == SKIPPED]
    finally:
        recorder.record_applied("monitio", "0019_heartbeat")


def test_a_table_that_is_missing(site: Site) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE monitio_repeat RENAME TO monitio_away")
    try:
        assert look(site, "database.tables") == "There is no table monitio_repeat."
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE monitio_away RENAME TO monitio_repeat")


READ_ONLY = {
    "sqlite": ("PRAGMA query_only = ON", "PRAGMA query_only = OFF"),
    "postgresql": (
        "SET default_transaction_read_only = on",
        "SET default_transaction_read_only = off",
    ),
    "mysql": ("SET SESSION TRANSACTION READ ONLY", "SET SESSION TRANSACTION READ WRITE"),
}


def test_a_database_that_is_a_replica(site: Site) -> None:
    assert look(site, "database.writes") is None
    assert [row.name for row in Heartbeat.objects.all()] == ["beat"]
    begin, end = READ_ONLY[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(begin)
        try:
            assert "Error" in str(look(site, "database.writes"))
        finally:
            cursor.execute(end)


def test_sessions_in_the_memory_of_one_process(site: Site, settings: Any) -> None:
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.cache"
    saw = "The cache 'default' is django.core.cache.backends.locmem.LocMemCache."
    assert look(site, "sessions.shared") == saw
    settings.DEBUG = True
    assert look(site, "sessions.shared") is None


@pytest.mark.parametrize(
    ("path", "saw"),
    [
        ("shop.asgi.application", "shop.asgi.application: ImportError: No module named 'shop'"),
        ("monitio.asgi.app", 'Module "monitio.asgi" does not define a "app" attribute'),
        ("monitio.constants.INFO", "monitio.constants.INFO is a int."),
        ("monitio.asgi.application", "None"),
    ],
)
def test_an_asgi_application_of_another_name(
    path: str, saw: str, site: Site, settings: Any
) -> None:
    settings.ASGI_APPLICATION = path
    found = str(look(site, "asgi.imports"))
    assert saw in found.replace("ModuleNotFoundError", "ImportError")


def test_static_files_that_have_no_folder(site: Site, settings: Any) -> None:
    settings.STATIC_ROOT = None
    assert look(site, "static.collected") == "STATIC_ROOT is not set."


@pytest.mark.parametrize("name", ["console", "dummy", "locmem"])
def test_a_mail_backend_that_sends_nothing(name: str, site: Site, settings: Any) -> None:
    path = f"django.core.mail.backends.{name}.EmailBackend"
    if django.VERSION >= (6, 1):
        settings.MAILERS = {"default": {"BACKEND": path}}
    else:
        settings.EMAIL_BACKEND = path
    assert look(site, "mail.backend") == f"It is django.core.mail.backends.{name}."


def test_a_sender_that_servers_refuse(site: Site, settings: Any) -> None:
    settings.DEFAULT_FROM_EMAIL = "webmaster@localhost"
    assert look(site, "mail.sender") == "It is webmaster@localhost."
    settings.MONITIO_EMAIL_FROM = "shop@example.com"
    assert look(site, "mail.sender") is None


def test_cookies_that_browsers_do_not_send(settings: Any) -> None:
    settings.SESSION_COOKIE_SECURE = True
    saw = "http://example.com is http:; True: SESSION_COOKIE_SECURE."
    assert look(Site("http://example.com"), "cookies.unsent") == saw
    assert look(Site("https://example.com"), "cookies.unsent") is None


def test_tasks_that_run_in_the_web_process(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    app = Celery("shop", set_as_current=False, task_always_eager=True)
    monkeypatch.setattr(monitio_doctor, "current_app", app)
    assert look(site, "worker.eager") == "task_always_eager is on without DEBUG."


@pytest.mark.parametrize(
    ("changes", "identifier", "fix"),
    [
        ({"MONITIO_TRANSPORT": "reddis"}, "monitio.E010", "Correct MONITIO_TRANSPORT"),
        ({"MONITIO_STREAMS_PER_USER": "3"}, "monitio.E015", "MONITIO_STREAMS_PER_USER"),
        ({"MONITIO_TRANPSORT": "redis"}, "monitio.W009", "MONITIO_TRANSPORT"),
        ({"ROOT_URLCONF": "django.contrib.auth.urls"}, "monitio.W008", "monitio.urls"),
        ({"MESSAGE_STORAGE": "monitio.Storage"}, "monitio.E001", "PersistentMessageStorage"),
        ({"MONITIO_BASE_URL": ""}, "monitio.W011", "Set MONITIO_BASE_URL"),
        (
            {
                "MONITIO_CHANNELS": {"push": "monitio.channels.webpush.WebPushChannel"},
                "MONITIO_VAPID_CONTACT": "mailto:ann@example.com",
            },
            "monitio.E080",
            "monitio_vapid",
        ),
        ({"MONITIO_SCOPE": "shop.tenants.Scope"}, "monitio.E060", "docs/tenants.md"),
        ({"MONITIO_THEME": "bootstrap7"}, "monitio.E041", "MONITIO_THEME"),
    ],
)
def test_wrong_settings_are_reported_with_the_fix(
    changes: dict[str, Any], identifier: str, fix: str, site: Site, settings: Any
) -> None:
    for name, value in changes.items():
        setattr(settings, name, value)
    found = {finding.id: finding for finding in of_checks()}
    assert fix in found[identifier].saw + found[identifier].cure


def test_celery_without_settings_or_schedule(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    # Without config_from_object.
    app = Celery("shop", set_as_current=False)
    monkeypatch.setattr(celery_checks, "_current_app", lambda: app)
    found = {finding.id: finding for finding in of_checks()}
    assert "config_from_object" in found["monitio_celery.W004"].cure
    app.conf.broker_url = "redis://127.0.0.1:1/0"
    found = {finding.id: finding for finding in of_checks()}
    assert "beat_schedule()" in found["monitio_celery.W007"].cure


def test_middleware_in_the_wrong_order(site: Site, settings: Any) -> None:
    settings.MIDDLEWARE = settings.MIDDLEWARE[::-1]
    assert look(site, "middleware.order")


def test_a_template_without_the_tag(site: Site, settings: Any, tmp_path: Path) -> None:
    assert look(site, "template.tag") is None
    (tmp_path / "base.html").write_text("{% load monitio %}<body>{% monitio_bell %}</body>")
    assert look(site, "template.tag")


def test_a_template_that_replaces_the_tags(site: Site, settings: Any, tmp_path: Path) -> None:
    own = tmp_path / "monitio" / "tags" / "messages.html"
    own.parent.mkdir(parents=True)
    own.touch()
    assert look(site, "template.replaced") == f"It is {own}."


def test_static_files_that_were_not_collected(
    site: Site, settings: Any, collected: Path, tmp_path: Path
) -> None:
    assert look(site, "static.collected") is None
    settings.STATIC_ROOT = tmp_path / "static"
    script = Path(shutil.copytree(collected, settings.STATIC_ROOT), "monitio", "monitio.js")
    script.write_text("// of the last release")
    assert look(site, "static.collected") == "STATIC_ROOT has no current monitio/monitio.js."


def test_static_files_that_no_finder_finds(site: Site, settings: Any) -> None:
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    assert "monitio/monitio.js" in str(look(site, "static.found"))


def test_a_beat_that_has_stopped_or_never_ran(site: Site) -> None:
    Heartbeat.objects.update(at=timezone.now() - timedelta(hours=1))
    assert "beat last ran 3600 s ago." in str(look(site, "beat.late"))
    Heartbeat.objects.all().delete()
    assert look(site, "beat.never")


def test_a_beat_that_has_just_started_is_given_time(site: Site) -> None:
    Heartbeat.objects.all().delete()
    heartbeat.stamp_beat()
    with pytest.raises(Skip, match="Not yet: beat started 0 s ago, and its first task comes after"):
        look(site, "beat.never")
    Heartbeat.objects.update(at=timezone.now() - timedelta(minutes=10))
    assert "no worker has run its tasks" in str(look(site, "beat.never"))


def test_tasks_that_wait_and_workers_that_were_killed(site: Site, ann: Any) -> None:
    long_ago = timezone.now() - timedelta(hours=2)
    report(reporter(ann, task="1"), "queued")
    report(reporter(ann, task="2"), "started")
    Job.objects.update(due_at=long_ago, created=long_ago)
    Job.objects.filter(state="started").update(alive_at=long_ago)
    assert "1 tasks have waited" in str(look(site, "jobs.waiting"))
    assert "1 started tasks" in str(look(site, "jobs.silent"))


def test_a_mail_server_that_does_not_answer(site: Site, settings: Any) -> None:
    from django.core.mail.backends.smtp import EmailBackend

    # Since Django 6.1, backends get their alias.
    named = {"alias": "default"} if django.VERSION >= (6, 1) else {}
    backend = EmailBackend(host="127.0.0.1", port=1, **named)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(work, "site_backend", lambda: backend)
        assert "ConnectionRefusedError" in str(look(site, "mail.connects"))


def test_an_address_of_the_site_that_does_not_answer(site: Site, settings: Any) -> None:
    settings.MONITIO_BASE_URL = "http://127.0.0.1:1"
    assert "http://127.0.0.1:1/messages/" in str(look(site, "mail.base_url"))


def test_deliveries_that_are_stuck_or_have_failed(site: Site, ann: Any, monkeypatch: Any) -> None:
    import monitio
    from monitio import dispatch
    from monitio.models import Delivery

    monkeypatch.setattr(dispatch, "deliver", lambda pending: None)
    monitio.create_message(ann, monitio.INFO, "x", email=True)
    Delivery.objects.update(due_at=timezone.now() - timedelta(hours=1))
    assert look(site, "deliveries.stuck")
    Delivery.objects.update(state=Delivery.State.FAILED)
    assert "1 failed within a day: email." in str(look(site, "deliveries.failed"))


def other_code() -> dict[str, str]:
    here = diagnosis.describe("n")["tasks"]
    return dict.fromkeys(here, "another")


@pytest.mark.parametrize(
    ("identifier", "changes", "saw"),
    [
        ("worker.database", {"database": False}, "does not see a row"),
        ("worker.secret_key", {"secret_key": diagnosis.keyed("other")}, "w@host"),
        ("worker.transport", {"transport": "redis"}, "redis instead of polling"),
        ("worker.transport", {"address": "another"}, "another address"),
        ("worker.prefix", {"prefix": ["shop", "monitio"]}, "w@host"),
        ("worker.scope", {"scope": "shop.Scope"}, "w@host"),
        ("worker.version", {"versions": {"monitio": "0.1"}}, "monitio 0.1 instead of"),
        (
            "worker.tasks",
            {"tasks": {}},
            "without monitio.doctor_attempt, monitio_celery.",
        ),
        ("worker.queue", {"queues": ["mail"]}, "celery (monitio's own tasks)"),
        ("worker.clock", {"clock": time.time() - 3600}, "s slow"),
    ],
)
def test_a_worker_that_differs(
    identifier: str, changes: dict[str, Any], saw: str, site: Site
) -> None:
    assert look(site, identifier) is None
    set_worker_reply(site, **changes)
    assert saw in str(look(site, identifier))


def test_a_worker_that_runs_the_code_of_the_last_release(site: Site) -> None:
    here = diagnosis.describe("n")
    found = Workers({**here, "tasks": {"shop.report": "new"}}, ["w"], {"w": here}, 0, 0)
    found.answers["w"]["tasks"] = {"shop.report": "old"}
    site.asked[workers] = found
    assert look(site, "worker.code") == "Of 1 workers: w (shop.report)."


def test_the_digest_of_a_task_follows_its_code() -> None:
    def task(code: str) -> Any:
        scope: dict[str, Any] = {}
        exec(code, scope)
        return type("Task", (), {"run": staticmethod(scope["run"])})

    first = diagnosis.digest(task("def run(): return {1, 2} and (lambda: 1)"))
    assert first == diagnosis.digest(task("\n\ndef run(): return {1, 2} and (lambda: 1)"))
    assert first != diagnosis.digest(task("def run(): return {1, 2} and (lambda: 2)"))


def test_no_worker_and_one_without_monitio(site: Site) -> None:
    site.asked[workers] = Workers({}, [], {}, 0, 0)
    assert look(site, "worker.none")
    site.asked[workers] = Workers({}, ["w@host"], {}, 0, 0)
    assert look(site, "worker.none") is None
    assert look(site, "worker.monitio") == "Does not know the command: w@host."


def test_a_lost_event_of_a_worker(site: Site) -> None:
    found = site.asked[workers]
    found.without_event = {"w@host"}
    assert look(site, "worker.event") == "No event came from w@host."


def test_the_secret_key_is_never_sent(settings: Any) -> None:
    settings.SECRET_KEY = "xyzzy-secret"
    settings.MONITIO_REDIS_URL = "redis://:xyzzy-password@127.0.0.1/0"
    assert "xyzzy" not in json.dumps(diagnosis.describe("n"))


def test_rows_written_by_the_doctor_are_deleted(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitio_doctor, "missing_broker", lambda: None)
    monkeypatch.setattr(monitio_doctor, "broker_error", lambda site: "")
    monkeypatch.setattr(monitio_doctor.current_app.control, "ping", lambda timeout: [])
    del site.asked[workers]
    assert look(site, "worker.none")
    assert [row.name for row in Heartbeat.objects.all()] == ["beat"]


def test_an_address_without_a_scheme_is_refused() -> None:
    with pytest.raises(CommandError, match="--url needs a whole address"):
        call_command("monitio_doctor", "--url", "example.com")


def test_without_visitors_only_a_user_is_checked(settings: Any) -> None:
    settings.MONITIO_VISITORS = False
    found = Site("http://127.0.0.1:1")
    with pytest.raises(Skip, match="name a user with --try"):
        found.once(client.session)
    client.end_session(found)


def test_each_page_named_by_a_fault_exists() -> None:
    for fault in FAULTS.values():
        assert (DOCS.parent / fault.docs).exists(), fault.docs
        assert fault.cause.endswith(".") and fault.cure.endswith("."), fault.id


def test_the_page_of_symptoms_matches_the_doctors_table() -> None:
    out = StringIO()
    call_command("monitio_doctor", "--list", stdout=out)
    page = (DOCS / "nothing-pops-up.md").read_text()
    assert out.getvalue().strip() in page, "manage.py monitio_doctor --list prints the table"


def test_each_documented_fault_exists() -> None:
    page = (DOCS / "doctor.md").read_text()
    checks = (DOCS / "checks.md").read_text() + (DOCS / "celery.md").read_text()
    rows = re.findall(r"^\| .* \|$", page, re.M)[2:]
    assert len(rows) >= 15
    for row in rows:
        named = re.findall(r"`([a-z_]+\.\w+)`", row.split("|")[2])
        assert named
        assert all(name in FAULTS or name in checks for name in named), row
