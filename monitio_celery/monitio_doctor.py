"""Faults of Celery: ``manage.py monitio_doctor`` imports this module."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from celery import current_app
from django.conf import settings as django_settings

from monitio.integrations.decorators import options_of
from monitio.management.doctor.attempt import starters
from monitio.management.doctor.registry import (
    NOTHING_LIVE,
    TASKS_SILENT,
    TASKS_WAIT,
    WARNING,
    Site,
    Skip,
    fault,
)
from monitio.management.doctor.transport import listening
from monitio.models import Heartbeat
from monitio.recipients import Recipient
from monitio.utils.outage import one_line
from monitio_celery.checks import missing_broker
from monitio_celery.conf import settings
from monitio_celery.diagnosis import COMMAND, describe, probe_recipient, row_of
from monitio_celery.headers import HEADER, TaskHeader
from monitio_celery.tasks import doctor_attempt

# Seconds that workers have for an answer.
WITHIN = 3.0
# Seconds that two clocks may differ.
CLOCKS = 2.0


def start_attempt(user: Any) -> str:
    headers: dict[str, Any] = {HEADER: TaskHeader.for_recipients([Recipient.of(user)]).to_dict()}
    queue = settings.CELERY_QUEUE
    result = doctor_attempt.apply_async(headers=headers, queue=queue, retry=False)
    return str(result.id)


starters.append(start_attempt)


@dataclass
class Workers:
    """What the workers have answered, and this process as they should be."""

    here: dict[str, Any]
    names: list[str]
    # By worker; those that do not know the command are missing.
    answers: dict[str, dict[str, Any]]
    asked: float
    answered: float
    # Those whose event did not arrive; None: a hub holds the streams.
    without_event: set[str] | None = field(default=None)


def workers(site: Site) -> Workers:
    """Raises ``Skip`` where tasks run without workers, or the broker does not answer."""
    missing = missing_broker()
    if missing is not None:
        raise Skip(missing[0])
    if current_app.conf.task_always_eager:
        raise Skip("task_always_eager is on: tasks run in the web process.")
    if site.once(broker_error):
        raise Skip("The broker does not answer.")
    current_app.loader.import_default_modules()
    pings = current_app.control.ping(timeout=WITHIN)
    names = sorted({name for reply in pings or () for name in reply})
    nonce = secrets.token_hex(8)
    Heartbeat.objects.stamp(row_of(nonce), 0)
    try:
        return _compare(nonce, names)
    finally:
        Heartbeat.objects.filter(name=row_of(nonce)).delete()


def _compare(nonce: str, names: list[str]) -> Workers:
    topics = {probe_recipient(nonce, name).topic: name for name in names}

    def ask() -> Workers:
        asked = time.time()
        replies = current_app.control.broadcast(
            COMMAND,
            {"nonce": nonce},
            reply=True,
            timeout=WITHIN,
            limit=len(names),
        )
        found = {name: answer for reply in replies or () for name, answer in reply.items()}
        answers = {name: answer for name, answer in found.items() if "secret_key" in answer}
        return Workers(describe(nonce), names, answers, asked, time.time())

    if not names:
        return Workers(describe(nonce), [], {}, 0, 0)
    try:
        with listening(topics) as listener:
            found = ask()
            found.without_event = {topics[name] for name in listener.missing(WITHIN)}
            return found
    except Skip:
        return ask()


def broker_error(site: Site) -> str:
    """Why the broker cannot be reached; '': it can."""
    try:
        with current_app.connection_for_write(connect_timeout=WITHIN) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=3)
    except Exception as error:
        return one_line(error)
    return ""


def differing(site: Site, differs: Callable[[Workers, dict[str, Any]], object]) -> str | None:
    """The workers whose answer differs from this process. Raises ``Skip`` without an answer."""
    found = site.once(workers)
    if not found.answers:
        raise Skip("No worker answers.")
    wrong = {name: differs(found, answer) for name, answer in found.answers.items()}
    named = [name if what is True else f"{name} ({what})" for name, what in wrong.items() if what]
    return f"Of {len(found.answers)} workers: {', '.join(named)}." if named else None


@fault(
    "broker.connects",
    symptom=TASKS_WAIT,
    cause="The broker does not answer.",
    cure="Start the broker, or correct CELERY_BROKER_URL.",
    docs="celery.md",
)
def broker_answers(site: Site) -> str | None:
    if missing_broker() is not None or current_app.conf.task_always_eager:
        raise Skip("No broker is configured, or task_always_eager is on.")
    return site.once(broker_error) or None


@fault(
    "worker.eager",
    symptom="Pages load until a task has ended",
    cause="CELERY_TASK_ALWAYS_EAGER is on, which is meant for tests: tasks run in the web process.",
    cure="Remove it, and start a worker.",
    docs="celery.md",
    level=WARNING,
)
def tasks_leave_the_web_process(site: Site) -> str | None:
    is_eager = current_app.conf.task_always_eager and not django_settings.DEBUG
    return "task_always_eager is on without DEBUG." if is_eager else None


@fault(
    "worker.none",
    symptom=TASKS_WAIT,
    cause="No worker runs, or it uses another broker; with memory:// each process has its own.",
    cure="Start a worker with the same settings: celery -A yoursite worker.",
    docs="celery.md",
)
def a_worker_answers(site: Site) -> str | None:
    if site.once(workers).names:
        return None
    return f"None has answered in {WITHIN:.0f} s."


@fault(
    "worker.monitio",
    symptom=TASKS_SILENT,
    cause="A worker runs without monitio_celery, or an older version.",
    cure="Start it with the settings and the code of the site.",
    docs="celery.md",
)
def workers_have_monitio(site: Site) -> str | None:
    found = site.once(workers)
    silent = sorted(set(found.names) - found.answers.keys())
    return f"Does not know the command: {', '.join(silent)}." if silent else None


@fault(
    "worker.database",
    symptom=TASKS_SILENT,
    cause="A worker uses another database than the site.",
    cure="Give both the same DATABASES: an SQLite file by its absolute path.",
    docs="celery.md",
)
def workers_share_the_database(site: Site) -> str | None:
    def differs(found: Workers, answer: dict[str, Any]) -> object:
        shared = answer["database"]
        return shared is not True and (shared or "it does not see a row that was written here")

    return differing(site, differs)


@fault(
    "worker.secret_key",
    symptom=NOTHING_LIVE,
    cause="A worker has another SECRET_KEY: links and tokens that it signs are refused.",
    cure="Give both the same SECRET_KEY.",
    docs="celery.md",
)
def workers_share_the_secret_key(site: Site) -> str | None:
    return differing(site, lambda found, it: it["secret_key"] != found.here["secret_key"])


@fault(
    "worker.transport",
    symptom=NOTHING_LIVE,
    cause="A worker publishes through another transport or server.",
    cure="Give both the same MONITIO_TRANSPORT with its URL or DSN, and the same MONITIO_STREAM.",
    docs="transports.md",
)
def workers_share_the_transport(site: Site) -> str | None:
    def differs(found: Workers, answer: dict[str, Any]) -> object:
        if answer["transport"] != found.here["transport"]:
            return f"{answer['transport']} instead of {found.here['transport']}"
        # The hashes are comparable only with the same key.
        same_key = answer["secret_key"] == found.here["secret_key"]
        return same_key and answer["address"] != found.here["address"] and "another address"

    return differing(site, differs)


@fault(
    "worker.prefix",
    symptom=NOTHING_LIVE,
    cause="A worker publishes to other channels.",
    cure="Give both the same MONITIO_REDIS_PREFIX and MONITIO_POSTGRES_CHANNEL.",
    docs="transports.md",
)
def workers_share_the_prefix(site: Site) -> str | None:
    return differing(site, lambda found, it: it["prefix"] != found.here["prefix"])


@fault(
    "worker.scope",
    symptom=NOTHING_LIVE,
    cause="A worker derives tenants in another way.",
    cure="Give both the same MONITIO_SCOPE.",
    docs="tenants.md",
)
def workers_share_the_scope(site: Site) -> str | None:
    return differing(site, lambda found, it: it["scope"] != found.here["scope"])


@fault(
    "worker.event",
    symptom=NOTHING_LIVE,
    cause="What a worker publishes does not arrive here.",
    cure="See worker.transport and worker.prefix; check that the worker reaches the server.",
    docs="transports.md",
)
def events_of_workers_arrive(site: Site) -> str | None:
    found = site.once(workers)
    if found.without_event is None:
        raise Skip("No worker answers, or a hub holds the streams.")
    lost = sorted(found.without_event & found.answers.keys())
    return f"No event came from {', '.join(lost)}." if lost else None


@fault(
    "worker.version",
    symptom=TASKS_SILENT,
    cause="A worker runs with other versions of monitio, Django, Celery or Python.",
    cure="Install the same packages in both, and restart the worker.",
    docs="celery.md",
    level=WARNING,
)
def workers_have_the_same_versions(site: Site) -> str | None:
    def differs(found: Workers, answer: dict[str, Any]) -> object:
        theirs, ours = answer["versions"], found.here["versions"]
        return ", ".join(
            f"{name} {theirs.get(name)} instead of {version}"
            for name, version in ours.items()
            if theirs.get(name) != version
        )

    return differing(site, differs)


@fault(
    "worker.tasks",
    symptom="Tasks fail at once",
    cause="A worker does not know a task of the site.",
    cure="Deploy the code to the worker, restart it, and let it discover the task.",
    docs="celery.md",
)
def workers_know_the_tasks(site: Site) -> str | None:
    def differs(found: Workers, answer: dict[str, Any]) -> object:
        missing = sorted(found.here["tasks"].keys() - answer["tasks"].keys())
        return missing and f"without {', '.join(missing[:5])}"

    return differing(site, differs)


@fault(
    "worker.code",
    symptom="Changes of a task have no effect",
    cause="A worker has not been restarted since the last deployment.",
    cure="Restart the worker.",
    docs="celery.md",
    level=WARNING,
)
def workers_run_the_same_code(site: Site) -> str | None:
    def differs(found: Workers, answer: dict[str, Any]) -> object:
        ours = found.here
        if answer["versions"]["Python"] != ours["versions"]["Python"]:
            return False  # bytecode differs, too
        stale = [
            name
            for name, digest in ours["tasks"].items()
            if answer["tasks"].get(name, digest) != digest
        ]
        return ", ".join(sorted(stale)[:5])

    return differing(site, differs)


@fault(
    "worker.clock",
    symptom="Times are wrong, tasks are interrupted although they run",
    cause="The clock of a worker's machine is wrong.",
    cure="Synchronise the clocks, for example with chrony.",
    docs="celery.md",
)
def clocks_agree(site: Site) -> str | None:
    def differs(found: Workers, answer: dict[str, Any]) -> object:
        early, late = found.asked - answer["clock"], answer["clock"] - found.answered
        off = max(early, late)
        return off > CLOCKS and f"{off:.0f} s {'slow' if early > late else 'fast'}"

    return differing(site, differs)


@fault(
    "worker.queue",
    symptom=TASKS_WAIT,
    cause="No worker serves the queue of some tasks.",
    cure="Start a worker with -Q and the name of the queue.",
    docs="celery.md",
)
def queues_are_served(site: Site) -> str | None:
    found = site.once(workers)
    if not found.answers:
        raise Skip("No worker answers.")
    served = {name for answer in found.answers.values() for name in answer["queues"]}
    needed = {
        name: current_app.amqp.router.route({}, name)["queue"].name
        for name, task in current_app.tasks.items()
        if options_of(task) is not None
    }
    default = current_app.conf.task_default_queue
    needed["monitio's own tasks"] = settings.CELERY_QUEUE or default
    missing = sorted(f"{queue} ({name})" for name, queue in needed.items() if queue not in served)
    return f"Not served: {', '.join(missing[:5])}." if missing else None
