"""Health checks and metrics."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import include, path

from monitio.stream import shutdown
from tests.support.jobs import report, reporter

ROOT = Path(__file__).parents[3]

urlpatterns = [
    path("health/", include("monitio.contrib.health")),
    path("messages/", include("monitio.urls")),
]


@pytest.fixture(autouse=True)
def _urls(settings: Any) -> None:
    settings.ROOT_URLCONF = __name__


def test_live_makes_no_query(client: Client) -> None:
    # Without the fixture db, a query raises an error.
    assert client.get("/health/live/").text == "ok"


@pytest.mark.django_db
class TestReady:
    def test_a_working_process_is_ready(self, client: Client) -> None:
        answer = client.get("/health/ready/")
        assert answer.status_code == 200
        assert answer.json() == {"database": True, "transport": True, "serving": True}
        assert "no-store" in answer["Cache-Control"]

    def test_one_that_stops_is_not(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shutdown, "stopping", lambda: True)
        answer = client.get("/health/ready/")
        assert (answer.status_code, answer.json()["serving"]) == (503, False)

    def test_one_with_wrong_settings_is_not(self, client: Client, settings: Any) -> None:
        settings.MONITIO_TRANSPORT = "no.where"
        assert client.get("/health/ready/").json()["transport"] is False


@pytest.mark.django_db
def test_the_tables_are_measured_at_each_scrape(ann: Any) -> None:
    from monitio.contrib.prometheus.metrics import Tables

    report(reporter(ann, task="1"), "queued")
    report(reporter(ann, task="2"), "started")
    report(reporter(ann, task="3"), "succeeded")
    found = {family.name: family.samples for family in Tables().collect()}
    assert {s.labels["state"]: s.value for s in found["monitio_jobs"]} == {
        "queued": 1, "started": 1, "retrying": 0,
    }  # fmt: skip
    assert found["monitio_digest_lag_seconds"][0].value == 0


def test_the_dashboard_and_the_manual_name_every_metric() -> None:
    from monitio.contrib.prometheus import metrics

    own = [metrics.JOB_WAIT, metrics.JOB_RUN, metrics.STREAMS, metrics.FIRST_EVENT]
    families = [
        family for metric in (*own, *metrics.COUNTERS.values()) for family in metric.collect()
    ]
    known = {f.name + ("_total" if f.type == "counter" else "") for f in families} | {
        "monitio_jobs", "monitio_deliveries_pending", "monitio_digest_lag_seconds",
    }  # fmt: skip
    manual = (ROOT / "docs" / "monitoring.md").read_text()
    assert set(re.findall(r"^\| `(monitio_\w+)`", manual, re.M)) == known
    panels = json.loads((ROOT / "examples/production/grafana.json").read_text())["panels"]
    targets = [target["expr"] for panel in panels for target in panel["targets"]]
    shown = re.findall(r"monitio_\w+", " ".join(targets))
    assert {re.sub("_(bucket|count)$", "", name) for name in shown} == known
