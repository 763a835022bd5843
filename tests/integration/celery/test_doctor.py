"""The doctor with two workers: one configured as the site is, and one that differs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.integration.celery.conftest import ROOT, OwnWorkers, Site, Worker
from tests.support.scopes import PATH

COMMAND = """
from tests.integration.celery.project.app import app
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", "monitio_doctor", "--json", "--try", "ann"])
"""


def examine(environment: dict[str, str]) -> dict[str, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-c", COMMAND],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return {found["id"]: found for found in json.loads(done.stdout)}


def test_what_is_wrong_with_a_worker_is_found(
    site: Site, worker: Worker, own_workers: OwnWorkers, environment: dict[str, str], tmp_path: Path
) -> None:
    healthy = examine(environment)
    steps = ("queued", "started", "ended", "event")
    took = [healthy[f"try.{step}"]["saw"] for step in steps]
    assert all(text.endswith(" ms") for text in took), took
    of_workers = {
        name: found["status"]
        for name, found in healthy.items()
        if name.startswith(("worker.", "broker.", "transport."))
    }
    assert set(of_workers.values()) == {"ok"}, of_workers

    other = own_workers.start_worker(
        TEST_DATABASE=f"sqlite://{tmp_path}/other.sqlite3",
        TEST_SECRET_KEY="another",
        TEST_PREFIX="another",
    )
    old = own_workers.start_worker(
        TEST_TRANSPORT="polling", TEST_SCOPE=PATH, TEST_RELEASE="last", TEST_CLOCK="-650"
    )
    found = examine(environment)
    for name, saw in {
        "worker.database": f"{other.name} (OperationalError: no such table",
        "worker.secret_key": other.name,
        "worker.prefix": other.name,
        "worker.event": ", ".join(sorted([old.name, other.name])),
        "worker.transport": f"{old.name} (polling instead of redis)",
        "worker.scope": old.name,
        "worker.tasks": f"{old.name} (without project.added)",
        "worker.code": f"{old.name} (project.changed)",
        # The time that the reply takes is subtracted.
        "worker.clock": f"{old.name} (6",
    }.items():
        assert found[name]["status"] in ("error", "warning"), name
        assert saw in found[name]["saw"]
        assert worker.name not in found[name]["saw"]
    assert "s slow)" in found["worker.clock"]["saw"]
