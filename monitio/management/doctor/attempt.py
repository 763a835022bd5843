"""``--try``: a task for a user, and how long each step takes until their page shows it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

from django.db import connections

from monitio import api, constants, scope
from monitio.conf import settings
from monitio.management.doctor import client
from monitio.management.doctor.registry import ERROR, INFO, Finding, Site
from monitio.management.doctor.transport import listening
from monitio.models import Job
from monitio.recipients import Recipient

TITLE = "Test of monitio_doctor"
# Seconds for all steps.
WITHIN = 30.0
# Each starts a task that notifies this user with TITLE, and returns its id.
starters: list[Callable[[Any], str]] = []


class Page:
    """The stream of an open page of the user, read in a thread."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.is_open, self.has_ended = threading.Event(), threading.Event()
        # When it showed the end of the task, by the monotonic clock.
        self.shown: float | None = None
        read = scope.bind(self._read)
        threading.Thread(target=read, name="monitio-doctor", daemon=True).start()
        self.is_open.wait(WITHIN)

    def _read(self) -> None:
        try:
            client.read_stream(self._site, WITHIN, self._is_end)
        finally:
            self.is_open.set()
            self.has_ended.set()
            connections.close_all()

    def _is_end(self, name: str, data: str) -> bool:
        if name == "snapshot":
            self.is_open.set()
        if name not in ("message", "snapshot") or TITLE not in data:
            return False
        if starters and '"succeeded"' not in data:
            return False
        self.shown = time.monotonic()
        return True


def attempt(site: Site) -> Iterator[Finding]:
    """A finding for each step, with the milliseconds since the start."""
    page = Page(site) if site.url else None
    topic = Recipient.of(site.user).topic
    with nullcontext() if settings.STREAM else listening([topic]) as listener:
        began = time.monotonic()
        yield from run(site, began)
        if listener is not None:
            lost = listener.missing(WITHIN)
            yield step("event", None if lost else time.monotonic(), began)
    if page is not None:
        page.has_ended.wait(WITHIN)
        yield step("frame", page.shown, began)


def step(name: str, at: float | None, began: float) -> Finding:
    if at is None:
        cure = "See the other errors, and the log of the worker."
        return Finding(f"try.{name}", ERROR, f"Not in {WITHIN:.0f} s.", cure, "docs/doctor.md")
    return Finding(f"try.{name}", INFO, f"{(at - began) * 1000:.0f} ms")


def run(site: Site, began: float) -> Iterator[Finding]:
    """The steps up to the end of the task; without a task queue, a message is created."""
    if not starters:
        api.create_message(site.user, constants.INFO, "", subject=TITLE)
        yield step("message", time.monotonic(), began)
        return
    task_id = starters[0](site.user)
    yield step("queued", time.monotonic(), began)
    started = ended = None
    while ended is None and time.monotonic() - began < WITHIN:
        job = Job.objects.of_task(task_id).first()
        if job is not None and job.started_at and started is None:
            started = time.monotonic()
        if job is not None and job.has_ended:
            ended = time.monotonic()
        time.sleep(0.01)
    yield step("started", started, began)
    yield step("ended", ended, began)
