"""The queries of the Grafana dashboard match the exported metrics."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import include, path
from prometheus_client.parser import text_string_to_metric_families

import monitio
from monitio import api, dispatch
from monitio.contrib.prometheus import metrics
from monitio.models import Message
from monitio.signals import job_ended
from monitio.utils import measure
from tests.support.jobs import report, reporter

DASHBOARD = Path(__file__).parents[3] / "examples/production/grafana.json"
PANELS = json.loads(DASHBOARD.read_text())["panels"]
QUERIES = [(panel["title"], target) for panel in PANELS for target in panel["targets"]]
NAME = re.compile(r"\b(monitio_\w+)(?:\{([^}]*)\})?(\[\w+\])?")

urlpatterns = [
    path("metrics/", include("monitio.contrib.prometheus.urls")),
    path("messages/", include("monitio.urls")),
]


@pytest.fixture
def exported(
    ann: Any, client: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> dict[str, tuple[str, set[str]]]:
    """Metric -> its type and labels, for a site with data."""
    settings.ROOT_URLCONF = __name__
    monkeypatch.setattr(measure, "_recorders", [metrics.record])
    job_ended.connect(metrics.observe_job)
    try:
        for event in ("queued", "started", "succeeded"):
            report(reporter(ann, task="1"), event)
    finally:
        job_ended.disconnect(metrics.observe_job)
    monkeypatch.setattr(dispatch.hooks, "deliver", None)
    api.create_message(ann, monitio.INFO, "x", email=True)
    measure.record("streams")
    measure.record("first_event", 0.1)
    measure.record("snapshots", reason="open")
    # A delivery that waits for a worker.
    monkeypatch.setattr(dispatch.hooks, "deliver", lambda pk, due: None)
    api.create_message(ann, monitio.INFO, "y", email=True)
    assert Message.objects.count() == 3
    found: dict[str, tuple[str, set[str]]] = {}
    labels: dict[str, set[str]] = defaultdict(set)
    for family in text_string_to_metric_families(client.get("/metrics/").text):
        for sample in family.samples:
            labels[sample.name] |= sample.labels.keys()
            found[sample.name] = (family.type, labels[sample.name])
    return found


@pytest.mark.django_db(transaction=True)
def test_every_query_uses_exported_metrics_and_labels(
    exported: dict[str, tuple[str, set[str]]],
) -> None:
    assert QUERIES
    for title, target in QUERIES:
        expression = target["expr"]
        named = NAME.findall(expression)
        assert named, title
        wanted = set(re.findall(r"\{\{\s*(\w+)\s*\}\}", target.get("legendFormat", "")))
        for listed in re.findall(r"\b(?:by|without)\s*\(([^)]*)\)", expression):
            wanted |= {label.strip() for label in listed.split(",")}
        for name, selected, window in named:
            assert name in exported, (title, name)
            kind, labels = exported[name]
            wanted |= set(re.findall(r"(\w+)\s*[=!]", selected))
            assert wanted <= labels, (title, name)
            # rate() needs a counter, histogram_quantile() the buckets of a histogram.
            grows = kind == "counter" or name.endswith(("_bucket", "_count", "_sum"))
            assert bool(window) == grows == ("rate(" in expression), title
            assert ("histogram_quantile(" in expression) == name.endswith("_bucket"), title


def test_a_panel_that_shows_several_lines_names_them() -> None:
    for title, target in QUERIES:
        labels = re.findall(r"by \(([^)]*)\)", target["expr"])
        lines = {label.strip() for text in labels for label in text.split(",")} - {"le"}
        legend = target.get("legendFormat", "")
        assert set(re.findall(r"\{\{(\w+)\}\}", legend)) == lines, title
