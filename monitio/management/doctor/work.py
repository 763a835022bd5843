"""Faults of periodic work, of e-mail and of growing tables."""

from __future__ import annotations

import urllib.error
import urllib.request
from datetime import timedelta

from django.conf import settings as django_settings
from django.db import connections
from django.urls import reverse
from django.utils import timezone

from monitio import dispatch, scope
from monitio.channels.email.smtp import site_backend
from monitio.conf import DAY, settings
from monitio.constants import EMAIL
from monitio.management.doctor.registry import (
    ALL_FAILS,
    NO_EMAIL,
    NO_END,
    TASKS_WAIT,
    WARNING,
    Site,
    Skip,
    fault,
)
from monitio.models import Delivery, Heartbeat, Job, Message
from monitio.models.heartbeats import BEAT_START
from monitio.utils.outage import one_line

# Seconds after which a delivery that is due counts as stuck.
STUCK = 15 * 60.0
# Messages that a site may keep without being asked about retention.
MANY_ROWS = 100_000


@fault(
    "beat.never",
    symptom=NO_END,
    cause="Neither Celery's beat nor monitio_work has run, or no worker runs beat's tasks.",
    cure="Start celery beat with monitio_celery.beat_schedule() and a worker for its queue, or "
    "run manage.py monitio_work.",
    docs="install.md",
)
def periodic_work_has_run(site: Site) -> str | None:
    if Heartbeat.objects.of_periodic_work():
        return None
    start = Heartbeat.objects.here().filter(name=BEAT_START).first()
    if start is None:
        return "No heartbeat of either."
    if not start.is_late():
        after = f"its first task comes after {start.interval:.0f} s"
        raise Skip(f"Not yet: beat started {start.age():.0f} s ago, and {after}.")
    return f"Beat started {start.age():.0f} s ago, and no worker has run its tasks."


@fault(
    "beat.late",
    symptom=NO_END,
    cause="Celery's beat or monitio_work has stopped, or no worker runs beat's tasks.",
    cure="Start it again, or a worker for the queue of monitio's tasks.",
    docs="install.md",
)
def periodic_work_runs(site: Site) -> str | None:
    rows = Heartbeat.objects.of_periodic_work()
    if not rows:
        raise Skip("It has never run.")
    if rows[0].is_late():
        return f"{rows[0].name} last ran {rows[0].age():.0f} s ago."
    return None


@fault(
    "jobs.silent",
    symptom=NO_END,
    cause="Workers were killed, and no sweep runs.",
    cure="Start celery beat or manage.py monitio_work; manage.py monitio_sweep does it once.",
    docs="celery.md",
    level=WARNING,
)
def no_job_is_silent(site: Site) -> str | None:
    moment = timezone.now() - timedelta(seconds=2 * settings.JOB_LOST_AFTER + 3600)
    count = Job.objects.here().silent_since(moment)[:1000].count()
    return f"{count} started tasks have had no heartbeat for over an hour." if count else None


@fault(
    "jobs.waiting",
    symptom=TASKS_WAIT,
    cause="No worker serves the queue of these tasks.",
    cure="Start a worker with -Q and the queue of the tasks.",
    docs="celery.md",
    level=WARNING,
)
def no_job_waits_long(site: Site) -> str | None:
    moment = timezone.now() - timedelta(hours=1)
    names = list(Job.objects.here().overdue_since(moment).values_list("name", flat=True)[:1000])
    if not names:
        return None
    return f"{len(names)} tasks have waited for over an hour: {', '.join(sorted(set(names))[:5])}."


def need_mail(*, also_with_debug: bool = True) -> None:
    """Raises ``Skip`` where no e-mail is sent."""
    if EMAIL not in settings.CHANNELS:
        raise Skip("MONITIO_CHANNELS has no e-mail.")
    if django_settings.DEBUG and not also_with_debug:
        raise Skip("DEBUG is on.")


@fault(
    "mail.connects",
    symptom=NO_EMAIL,
    cause="The mail server does not answer, or refuses the log-in.",
    cure="Correct Django's e-mail settings.",
    docs="email.md",
)
def mail_server_answers(site: Site) -> str | None:
    need_mail()
    backend = site_backend()
    if getattr(backend, "timeout", 0) is None:
        backend.timeout = settings.EMAIL_TIMEOUT
    try:
        backend.open()
        backend.close()
    except Exception as error:
        return one_line(error)
    return None


@fault(
    "mail.backend",
    symptom=NO_EMAIL,
    cause="Django's e-mail backend prints, stores or drops what it is given.",
    cure="Set EMAIL_BACKEND (from Django 6.1: MAILERS) to the one of your mail server; or take "
    '"email" out of MONITIO_CHANNELS.',
    docs="email.md",
    level=WARNING,
)
def mail_backend_sends(site: Site) -> str | None:
    need_mail(also_with_debug=False)
    module = type(site_backend()).__module__
    is_idle = module.startswith("django.core.mail.backends.") and not module.endswith(".smtp")
    return f"It is {module}." if is_idle else None


@fault(
    "mail.sender",
    symptom=NO_EMAIL,
    cause="E-mails come from webmaster@localhost, which mail servers refuse.",
    cure="Set DEFAULT_FROM_EMAIL, or MONITIO_EMAIL_FROM, to an address of your domain.",
    docs="email.md",
    level=WARNING,
)
def mail_has_a_sender(site: Site) -> str | None:
    need_mail(also_with_debug=False)
    sender = str(settings.EMAIL_FROM or django_settings.DEFAULT_FROM_EMAIL)
    return f"It is {sender}." if "@localhost" in sender else None


@fault(
    "mail.base_url",
    symptom="Links in e-mails lead nowhere",
    cause="MONITIO_BASE_URL is not the address of this site.",
    cure="Set MONITIO_BASE_URL to the public address of the site.",
    docs="email.md",
    level=WARNING,
)
def base_url_answers(site: Site) -> str | None:
    need_mail()
    base = scope.base_url()
    if not base:
        raise Skip("MONITIO_BASE_URL is not set.")
    address = base.rstrip("/") + reverse("message_list")
    try:
        # MONITIO_BASE_URL begins with http: or https: (monitio.E014).
        with urllib.request.urlopen(address, timeout=5):  # noqa: S310
            return None
    except urllib.error.HTTPError as error:
        # Also answers a site whose pages ask for a password.
        return None if error.code in (401, 403) else f"{address} answers {error.code}."
    except OSError as error:
        return f"{address}: {one_line(error)}"


@fault(
    "deliveries.stuck",
    symptom=NO_EMAIL,
    cause="No process sends deliveries that are due.",
    cure="Start a worker and beat, or manage.py monitio_work; monitio_deliver does it once.",
    docs="email.md",
)
def no_delivery_is_stuck(site: Site) -> str | None:
    moment = timezone.now() - timedelta(seconds=STUCK)
    count = Delivery.objects.here().due(moment)[:1000].count()
    return f"{count} deliveries have been due for over 15 minutes." if count else None


@fault(
    "deliveries.failed",
    symptom=NO_EMAIL,
    cause="Servers refuse deliveries.",
    cure='Read the reasons in the admin, remove their cause, and use its action "Send again".',
    docs="email.md",
    level=WARNING,
)
def no_delivery_has_failed(site: Site) -> str | None:
    recent = Delivery.objects.here().filter(
        state=Delivery.State.FAILED, due_at__gt=timezone.now() - timedelta(seconds=DAY)
    )
    count = recent[:1000].count()
    channels = sorted(set(recent.values_list("channel", flat=True)[:1000]))
    return f"{count} failed within a day: {', '.join(channels)}." if count else None


@fault(
    "sizes.messages",
    symptom="Tables grow without end",
    cause="Persistent messages are kept until they are deleted.",
    cure="Set MONITIO_RETENTION or MONITIO_KEEP_READ_DAYS.",
    docs="privacy.md",
    level=WARNING,
)
def messages_are_pruned(site: Site) -> str | None:
    if settings.KEEP_READ_DAYS is not None or settings.RETENTION:
        return None
    # Ids are an estimate that reads no table.
    newest = Message.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    oldest = Message.objects.order_by("pk").values_list("pk", flat=True).first() or 0
    rows = newest - oldest
    return f"About {rows} messages, and no retention is set." if rows > MANY_ROWS else None


@fault(
    "database.connections",
    symptom=ALL_FAILS,
    cause="PostgreSQL is close to max_connections.",
    cure="Use fewer processes, a pool or pgbouncer, or raise max_connections.",
    docs="scaling.md",
    level=WARNING,
)
def connections_are_left(site: Site) -> str | None:
    connection = connections[dispatch.database()]
    if connection.vendor != "postgresql":
        raise Skip("The database is not PostgreSQL.")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),"
            " current_setting('max_connections')::int"
        )
        used, limit = cursor.fetchone()
    return f"{used} of {limit} connections are in use." if used > 0.8 * limit else None
