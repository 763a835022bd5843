"""The metrics: of processes, and of tables at each scrape."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Iterator
from typing import Any

import prometheus_client as prometheus
from django.db.models import Count, Min
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily

from monitio import scope
from monitio.constants import State
from monitio.models import Delivery, Job, Preferences
from monitio.models.schedule import aware

SECONDS = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14400, float("inf"))

# Tenants are no label: there may be thousands.
JOB_WAIT = prometheus.Histogram(
    "monitio_job_wait_seconds", "From the queue to a worker.", ["task"], buckets=SECONDS
)
JOB_RUN = prometheus.Histogram(
    "monitio_job_run_seconds", "From start to end.", ["task", "state"], buckets=SECONDS
)
STREAMS = prometheus.Gauge("monitio_streams_open", "Open streams.", multiprocess_mode="livesum")
FIRST_EVENT = prometheus.Histogram(
    "monitio_stream_first_event_seconds", "From the opening of a stream to its first snapshot."
)
COUNTERS = {
    "snapshots": prometheus.Counter("monitio_snapshots", "Snapshots sent.", ["reason"]),
    "events": prometheus.Counter("monitio_events", "Events published.", ["result"]),
    "deliveries": prometheus.Counter(
        "monitio_deliveries", "Attempts to deliver.", ["channel", "state"]
    ),
}


def record(name: str, value: float, labels: dict[str, str]) -> None:
    """A measurement of ``monitio.utils.measure``; names without a metric are ignored."""
    if name == "streams":
        STREAMS.inc(value)
    elif name == "first_event":
        FIRST_EVENT.observe(value)
    elif name in COUNTERS:
        COUNTERS[name].labels(**labels).inc(value)


def observe_job(sender: Any, job: Job, **kwargs: Any) -> None:
    if job.started_at:
        started = aware(job.started_at)
        wait = (started - aware(job.due_at or job.queued_at)).total_seconds()
        JOB_WAIT.labels(task=job.name).observe(max(0.0, wait))
        if job.finished_at:
            run = (aware(job.finished_at) - started).total_seconds()
            JOB_RUN.labels(task=job.name, state=job.state).observe(max(0.0, run))


class Tables:
    """A collector of what the database knows, of all scopes. Reads indexes alone."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        jobs: Counts[str] = Counts()
        pending: Counts[str] = Counts()
        lags = [0.0]
        now = aware(timezone.now())

        def read() -> None:
            # Ended ones are counted by the histogram.
            unfinished = Job.objects.here().filter(
                state__in=(State.QUEUED, State.STARTED, State.RETRYING)
            )
            by_state = unfinished.order_by().values_list("state").annotate(Count("pk"))
            jobs.update(dict(by_state))
            rows = Delivery.objects.here().unfinished().order_by()
            pending.update(dict(rows.values_list("channel").annotate(Count("pk"))))
            due = Preferences.objects.here().aggregate(due=Min("next_digest_at"))["due"]
            if due is not None:
                lags.append((now - aware(due)).total_seconds())

        scope.in_each(read)
        gauge = GaugeMetricFamily("monitio_jobs", "Unfinished jobs.", labels=["state"])
        for state in (State.QUEUED, State.STARTED, State.RETRYING):
            gauge.add_metric([state], jobs[state])
        yield gauge
        gauge = GaugeMetricFamily(
            "monitio_deliveries_pending", "Deliveries to be sent.", labels=["channel"]
        )
        for channel, count in pending.items():
            gauge.add_metric([channel], count)
        yield gauge
        yield GaugeMetricFamily(
            "monitio_digest_lag_seconds", "How late the oldest digest is.", value=max(lags)
        )
