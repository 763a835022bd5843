"""The thread that writes the heartbeats of the tasks that run in this process."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping

from django.db import connections

from monitio import scope as scopes
from monitio.conf import settings
from monitio.constants import State
from monitio.integrations.base import Integration
from monitio.jobs.reporter import stamp_alive
from monitio.models import Job
from monitio.utils.fork import ProcessLocal

logger = logging.getLogger("monitio")

# The running tasks: the integration of each, by scope and task id.
Running = Mapping[tuple[str, str], Integration]


def stamp_running(running: Running) -> None:
    """One query a scope. A job that was marked as lost continues where it stood."""
    for scope in {scope for scope, _ in running}:
        mine = {task: queue for (of, task), queue in running.items() if of == scope}
        # Each by itself: an error in one scope must not affect the others.
        try:
            with scopes.activate(scope):
                if stamp_alive(mine) < len(mine):
                    recover(mine)
        except Exception as error:
            logger.warning("Heartbeats could not be written: %s", error)


def recover(running: Mapping[str, Integration]) -> None:
    """Reopen jobs that are marked as lost although they run."""
    for job in Job.objects.here().filter(task_id__in=list(running), state=State.LOST):
        running[job.task_id].reporter_for(job).recovered()


def starter(running: Callable[[], Running]) -> Callable[[], threading.Thread]:
    """A function that starts the thread of this process, once. A fork has a thread of its own."""

    def beat() -> None:
        while True:
            time.sleep(settings.JOB_HEARTBEAT_INTERVAL)
            if tasks := running():
                stamp_running(tasks)
                connections.close_all()

    def start() -> threading.Thread:
        thread = threading.Thread(target=beat, name="monitio-heartbeat", daemon=True)
        thread.start()
        return thread

    return ProcessLocal(start).get
