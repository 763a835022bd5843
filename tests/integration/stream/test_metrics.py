"""Metrics of two gunicorn workers, scraped as Prometheus does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.stream.servers import Server
from tests.settings import INSTALLED_APPS
from tests.support.peers import Peer
from tests.support.waiting import wait_until


@pytest.fixture
def server(
    site: Peer,
    database: str,
    transport: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Server]:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    server = Server(
        "gthread",
        database,
        options=("--workers", "2"),
        MONITIO_STREAM_HEARTBEAT=0.5,
        ROOT_URLCONF="tests.integration.stream.metrics",
        INSTALLED_APPS=[*INSTALLED_APPS, "monitio.contrib.prometheus"],
        **transport,
    )
    yield server
    server.close()


def test_the_metrics_of_all_workers_are_one_page(server: Server, site: Peer) -> None:
    def scrape() -> dict[str, float]:
        families = text_string_to_metric_families(server.get("/metrics/"))
        return {
            "".join([sample.name, *sample.labels.values()]): sample.value
            for family in families
            for sample in family.samples
        }

    browser = site.visit()
    pages = [server.stream(browser) for _ in range(4)]
    for page in pages:
        page.wait_for("snapshot")
    counted = ("snapshots_totalopen", "streams_open", "stream_first_event_seconds_count")
    # A client may receive its event before the server has counted it.
    wait_until(lambda: [scrape().get(f"monitio_{name}") for name in counted] == [4, 4, 4])
    assert scrape()["monitio_jobsqueued"] == 0
    server.get(f"/write/{browser['key']}/Hello/")
    assert scrape()["monitio_events_totalpublished"] == 1
    for page in pages:
        page.close()
    wait_until(lambda: scrape()["monitio_streams_open"] == 0)
