"""monitio's schedule entries in a real beat."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.celery.conftest import ROOT, OwnWorkers, Site, begin

# The shared worker runs the tasks that beat sends.
pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture(params=["plain", pytest.param("django-celery-beat", marks=pytest.mark.variant)])
def beat(
    request: pytest.FixtureRequest, site: Site, environment: dict[str, str], tmp_path: Path
) -> Iterator[None]:
    environment = {**environment, "TEST_SWEEP_INTERVAL": "1"}
    options = ["--schedule", str(tmp_path / "schedule")]
    if request.param == "django-celery-beat":
        # Its releases limit Django's version: the test extra contains it only for older ones.
        pytest.importorskip("django_celery_beat")
        environment["TEST_BEAT_IN_DATABASE"] = "yes"
        options = ["--scheduler", "django_celery_beat.schedulers:DatabaseScheduler"]
        installed = Site(environment)
        installed.migrate()
        installed.close()
    beat = [sys.executable, "-m", "celery", "-A", "tests.integration.celery.project.app", "beat"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*beat, "-l", "info", "--pidfile=", *options],
            cwd=ROOT, env=environment, stdout=log, stderr=log,
        )  # fmt: skip
    yield
    process.terminate()
    process.wait(60)


def test_beat_finds_what_a_dead_worker_left(
    site: Site, own_workers: OwnWorkers, gate: Path, beat: None
) -> None:
    worker = own_workers.start_worker()
    task = begin(site, own_workers, "wait_for", gate)
    worker.kill()
    site.age_heartbeat(task)
    site.ends(task, "lost")
    assert site.message(task)["subject"] == "Wait for: interrupted"
    # The doctor distinguishes a beat that has just started from one that never ran.
    assert {"beat", "beat:start"} <= set(site.heartbeats())
