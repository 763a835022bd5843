"""Heartbeats of a worker's main process: running jobs are alive, slow ones get a start notice."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from celery import signals
from celery.concurrency.solo import TaskPool as SoloPool
from django.db import DatabaseError, InterfaceError, OperationalError, connections
from django.utils import timezone

from monitio import dispatch
from monitio import scope as scopes
from monitio.constants import State
from monitio.exceptions import ScopesFailed
from monitio.integrations.decorators import options_of
from monitio.jobs.options import NotifyOptions
from monitio.jobs.reporter import stamp_alive
from monitio.models import Heartbeat, Job
from monitio.models.heartbeats import BEAT_START, WORKER
from monitio.models.rows import KEY_LENGTH
from monitio.utils.database import close_broken_connection, lock_timeout
from monitio_celery import headers
from monitio_celery.calls import TaskCall
from monitio_celery.conf import settings
from monitio_celery.groups.members import MemberReporter
from monitio_celery.headers import TaskHeader
from monitio_celery.models import GroupMember
from monitio_celery.reporters import job_reporter, reporter_for, reporter_for_job
from monitio_celery.signals.base import on, safely
from monitio_celery.signals.worker import call_of

logger = logging.getLogger("monitio")

# Seconds, as Celery's own heartbeat in the other pools.
HEARTBEAT_INTERVAL = 2.0
# Seconds between two heartbeats of a worker, whether or not it runs tasks.
WORKER_INTERVAL = 30.0
# By task id: when it was first seen running; None: its notice was sent.
_waiting: dict[str, float | None] = {}
_stamped_at = _worker_stamped_at = float("-inf")
# The node name of this worker.
_worker_name = ""


@on(signals.worker_ready, in_main_process=True)
def remember_name(*, sender: Any, **_: Any) -> None:
    global _worker_name
    _worker_name = str(sender.hostname)
    stamp_worker()


@on(signals.heartbeat_sent, in_main_process=True)
def stamp_worker(**_: Any) -> None:
    """The worker's own heartbeat, one statement a scope."""
    global _worker_stamped_at
    now = time.monotonic()
    if not _worker_name or now - _worker_stamped_at < WORKER_INTERVAL:
        return
    _worker_stamped_at = now
    _stamp_process(f"{WORKER}{_worker_name}"[:KEY_LENGTH], WORKER_INTERVAL)


@on(signals.beat_init, in_main_process=True)
def stamp_beat(**_: Any) -> None:
    _stamp_process(BEAT_START, settings.CELERY_SWEEP_INTERVAL)


@on(signals.beat_embedded_init, in_main_process=True)
def stamp_embedded_beat(**_: Any) -> None:
    _stamp_process(BEAT_START, settings.CELERY_SWEEP_INTERVAL)


def _stamp_process(name: str, interval: float) -> None:
    try:
        with lock_timeout(dispatch.database()):
            scopes.in_each(lambda: Heartbeat.objects.stamp(name, interval))
    except (DatabaseError, InterfaceError, ScopesFailed) as error:
        logger.warning("The heartbeat of %s could not be written: %s", name, error)
        close_broken_connection(dispatch.database())


@on(signals.heartbeat_sent, in_main_process=True)
def stamp_running(**_: Any) -> None:
    """One query a worker for the heartbeats of all its running jobs, one for its group members."""
    from celery.worker import state
    from celery.worker.state import active_requests

    global _stamped_at
    now = time.monotonic()
    if now - _stamped_at < settings.CELERY_ALIVE_INTERVAL or not active_requests:
        return
    _stamped_at = now
    by_scope = defaultdict(list)
    for request in tuple(active_requests):
        header = TaskHeader.from_headers(request.request_dict)
        by_scope[scopes.current() if header is None else header.scope].append(request)
    for scope, requests in by_scope.items():
        # Each by itself: an error in one scope must not affect the others.
        safely(_stamp, scope=scope, requests=requests, keep_lost=state.should_terminate)


def _stamp(*, scope: str, requests: list[Any], keep_lost: bool) -> None:
    calls = [call_of(request) for request in requests]
    # While a step of a chain runs that replaces a task, the replaced run goes on.
    calls += [
        TaskCall.of(None, header=call.header, task_id=replaced.task_id)
        for call in calls
        if call.header and (replaced := call.header.replaces)
    ]
    ids = {job for call in calls if (job := call.job_id)}
    members = {call.task_id: call for call in calls if call.member is not None}
    if not ids and not members:
        return
    try:
        with scopes.activate(scope):
            # A worker that shuts down has just reported its tasks as interrupted.
            if ids and stamp_alive(ids) < len(ids) and not keep_lost:
                recover_jobs(ids)
            if members and GroupMember.objects.stamp_alive(members, timezone.now()) < len(members):
                recover_members(members.values())
    except (OperationalError, InterfaceError) as error:
        # An outage of the database: the next heartbeat comes soon.
        logger.warning("Heartbeats could not be written: %s", error)
        close_broken_connection(dispatch.database())


def recover_jobs(task_ids: Iterable[str]) -> None:
    """Reopen jobs that are marked as lost although they run."""
    for job in Job.objects.here().filter(task_id__in=list(task_ids), state=State.LOST):
        reporter_for_job(job).recovered()


def recover_members(calls: Iterable[TaskCall]) -> None:
    """Report group members that run, but are marked as lost or have no row.

    Without a row, the database was unavailable when they began, or a crash took back their start.
    """
    found = [reporter_for(call) for call in calls]
    reporters = [one for one in found if isinstance(one, MemberReporter)]
    # No index has the task ids.
    rows = GroupMember.objects.here().filter(
        group__in={one.member.group for one in reporters},
        number__in={one.member.number for one in reporters},
    )
    known = {(row.group, row.number): row.lost for row in rows.only("group", "number", "lost")}
    for reporter in reporters:
        is_lost = known.get((reporter.member.group, reporter.member.number))
        if is_lost is None:
            reporter.started()
        elif is_lost:
            reporter.recovered()


@on(signals.heartbeat_sent, in_main_process=True)
def notify_slow_tasks(**_: Any) -> None:
    """Send the late start notice of tasks that have run for ``when=`` seconds."""
    from celery.worker.state import active_requests

    now = time.monotonic()
    waiting = {}
    for request in tuple(active_requests):
        options = options_of(request.task)
        if options is None or not isinstance(options.when, int | float):
            continue
        since = waiting[request.id] = _waiting.get(request.id, now)
        if since is not None and now - since >= options.when:
            waiting[request.id] = None
            safely(_notify_now, request=request, options=options)
    _waiting.clear()
    _waiting.update(waiting)


def _notify_now(*, request: Any, options: NotifyOptions) -> None:
    with headers.activate(TaskHeader.from_headers(request.request_dict)):
        job_reporter(request.id, name=request.task.name, options=options).notify_now()


@on(signals.worker_ready)
def start_solo_heartbeat(*, sender: Any, **_: Any) -> None:
    """The solo pool sends no heartbeat while it runs a task: a thread does."""
    if isinstance(sender.pool, SoloPool):
        threading.Thread(target=_beat, name="monitio-heartbeat", daemon=True).start()


def _beat() -> None:
    while True:
        time.sleep(HEARTBEAT_INTERVAL)
        stamp_worker()
        stamp_running()
        notify_slow_tasks()
        connections.close_all()
