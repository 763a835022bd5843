"""The frequent queries use their indexes, on every kind of database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.peers import ROOT


@pytest.mark.parametrize("kind", ["sqlite", "postgres", "mariadb"])
def test_no_frequent_query_reads_a_whole_table_or_inbox(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if kind == "sqlite":
        url = f"sqlite://{tmp_path}/plans.sqlite3"
    else:
        server: Any = request.getfixturevalue(f"{kind}_server")
        url = server.database("plans")
    run = subprocess.run(
        [sys.executable, "-m", "tests.integration.storage.plans", "--check"],
        cwd=ROOT,
        env={
            **os.environ,
            "MONITIO_TEST_DATABASE": url,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
        },
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert json.loads(run.stdout) == {}
