"""The board of the admin: all jobs of the site, live."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache

from monitio.constants import State
from monitio.exceptions import NotAllowed, RetryFailed
from monitio.jobs import board
from monitio.jobs.retry import retry_job
from monitio.jobs.texts import prettify
from monitio.messages.actions import cancel
from monitio.models import Job
from monitio.utils.formats import duration

logger = logging.getLogger("monitio")

# In seconds.
WINDOWS = {"15m": 900, "1h": 3600, "24h": 86_400, "7d": 7 * 86_400}
DEFAULT = "1h"
# Jobs that one "Try all again" starts.
RETRIED_AT_ONCE = 500
# By button: the permission.
NEEDED = {"cancel": "cancel_job", "retry": "retry_job", "retry_all": "retry_job"}
CHART_HEIGHT, BAR_STEP = 46, 5


@never_cache
def board_page(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """The page; with ``?live=1`` its moving part; POST cancels or tries again."""
    if not request.user.has_perm("monitio.view_job"):
        raise PermissionDenied
    if request.method == "POST":
        return _act(request)
    context = _context(request)
    if request.GET.get("live"):
        return render(request, "monitio/admin/board_live.html", context)
    # The tables need the width of the navigation.
    title = {"title": _("Jobs"), "opts": Job._meta, "is_nav_sidebar_enabled": False}
    return TemplateResponse(
        request, "monitio/admin/board.html", {**site.each_context(request), **title, **context}
    )


def _window(request: HttpRequest) -> tuple[str, datetime, datetime]:
    chosen = request.GET.get("window", DEFAULT)
    chosen = chosen if chosen in WINDOWS else DEFAULT
    now = timezone.now()
    return chosen, now - timedelta(seconds=WINDOWS[chosen]), now


def _context(request: HttpRequest) -> dict[str, Any]:
    window, since, now = _window(request)
    may = {name: request.user.has_perm(f"monitio.{name}_job") for name in ("cancel", "retry")}
    running, running_in = board.open_jobs([State.STARTED])
    waiting, waiting_in = board.open_jobs(board.WAITING)
    ended = board.ended_since(since, now)
    latest = board.just_ended(since)
    sees_messages = request.user.has_perm("monitio.view_message")
    # Of the jobs that were read: a busy day has too many.
    reasons = board.failures(ended.since, with_messages=sees_messages)
    people = board.recipients_shown([*running, *latest]) if sees_messages else {}
    labels = {"15m": _("15 min"), "1h": _("1 hour"), "24h": _("24 hours"), "7d": _("7 days")}
    return {
        "window": window,
        "windows": labels.items(),
        "may": may,
        "sees_people": sees_messages,
        "running": [_running(job, people, now) for job in running],
        "running_count": running_in.total(),
        "running_in": running_in.most_common(),
        "waiting": [_waiting(job, now) for job in waiting],
        "waiting_count": waiting_in.total(),
        "waiting_in": waiting_in.most_common(),
        "counted": board.COUNTED,
        "ended": ended,
        "chart": _chart(ended.buckets),
        "axis": [since, since + (now - since) / 2, now],
        "run_time": ended.run_time and [duration(value) for value in ended.run_time],
        "waiting_time": ended.waiting_time and [duration(value) for value in ended.waiting_time],
        "reasons": [{"reason": reason, "title": prettify(reason.name)} for reason in reasons],
        "latest": [_ended(job, people) for job in latest],
        "longest_wait": duration((now - waiting[0].queued_at).total_seconds()) if waiting else "",
        "shows_days": window in ("24h", "7d"),
    }


def _running(job: Job, people: dict[int, tuple[str, int]], now: datetime) -> dict[str, Any]:
    silent = board.is_silent(job)
    return {
        "job": job,
        "title": prettify(job.name),
        "for": people.get(job.pk),
        "left": "" if silent or job.eta is None else duration(job.eta),
        "silent_for": duration((now - job.alive_at).total_seconds())
        if silent and job.alive_at
        else "",
    }


def _waiting(job: Job, now: datetime) -> dict[str, Any]:
    due = job.due_at is not None and job.due_at > now
    seconds = (job.due_at - now if due and job.due_at else now - job.queued_at).total_seconds()
    return {"job": job, "title": prettify(job.name), "is_due": due, "time": duration(seconds)}


def _ended(job: Job, people: dict[int, tuple[str, int]]) -> dict[str, Any]:
    began, end = job.started_at, job.finished_at
    return {
        "job": job,
        "title": prettify(job.name),
        "for": people.get(job.pk),
        "waited": duration((began - job.queued_at).total_seconds()) if began else "–",
        "took": duration((end - began).total_seconds()) if began and end else "–",
        "error": Truncator(job.error).chars(60),
    }


def _chart(buckets: Any) -> list[dict[str, int]]:
    """The bars of the chart, from left to right, as attributes of SVG."""
    highest = max(1, *(bucket.succeeded + bucket.other for bucket in buckets))
    bars = []
    for number, bucket in enumerate(buckets):
        total = bucket.succeeded + bucket.other
        height = round(CHART_HEIGHT * total / highest)
        bad = min(height, max(2, round(CHART_HEIGHT * bucket.other / highest)))
        bad = bad if bucket.other else 0
        bars.append(
            {
                "x": number * BAR_STEP,
                "top": CHART_HEIGHT - height,
                "good": height - bad,
                "split": CHART_HEIGHT - bad,
                "bad": bad,
            }
        )
    return bars


def _act(request: HttpRequest) -> HttpResponse:
    """Cancel a job, try one again, or all that failed alike. Answers with what was done."""
    window, since, _now = _window(request)
    act = next((name for name in NEEDED if name in request.POST), None)
    if act is None or not request.user.has_perm(f"monitio.{NEEDED[act]}"):
        raise PermissionDenied
    pk = request.POST[act]
    job = Job.objects.here().filter(pk=int(pk) if pk.isdecimal() and len(pk) < 19 else 0).first()
    text = _("There is no such job.")
    if job is not None:
        alike = board.failed_alike(job, since)[:RETRIED_AT_ONCE] if act == "retry_all" else [job]
        text = _cancel(job) if act == "cancel" else _retry(alike)
    if request.headers.get("Accept", "").startswith("application/json"):
        return JsonResponse({"text": text})
    return HttpResponseRedirect(f"{reverse('admin:monitio_job_board')}?window={window}")


def _cancel(job: Job) -> str:
    try:
        done = cancel(job)
    except NotAllowed:
        return _("The author of this task does not offer to cancel it.")
    return _("Cancellation requested.") if done else _("It has ended already.")


def _retry(jobs: Any) -> str:
    started = 0
    for job in jobs:
        try:
            started += retry_job(job)
        except NotAllowed:
            continue
        except RetryFailed:
            # The queue is down: the others would wait for it, too.
            return _("The task could not be started. Try again later.")
    return ngettext("%d job started again.", "%d jobs started again.", started) % started
