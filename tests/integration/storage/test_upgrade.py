"""Upgrading from an earlier version keeps all rows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.peers import ROOT

SINCE = "2026-01-02T03:04:05+00:00"


@pytest.mark.parametrize("kind", ["sqlite", "postgres", "mariadb"])
def test_rows_of_the_first_version_are_carried_over(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if kind == "sqlite":
        url = f"sqlite://{tmp_path}/upgrade.sqlite3"
    else:
        server: Any = request.getfixturevalue(f"{kind}_server")
        url = server.database("upgrade")
    run = subprocess.run(
        [sys.executable, "-m", "tests.integration.storage.upgrade"],
        cwd=ROOT,
        env={**os.environ, "MONITIO_TEST_DATABASE": url},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert json.loads(run.stdout) == {
        "job": ["celery", 5, 3, "3 of 10", ""],
        "message": ["text", True, True, ""],
        "preferences": SINCE,
        "choice": [SINCE, "off", "email"],
        "delivery": ["email", "", "failed", "no such user"],
        "repeat": ["abc", 2],
        "member": [0.5, {"to": []}, ""],
        "original": [[125, True, True, "/relative/", "2014-03-01T12:30:15+00:00"]],
    }
