"""Run the tests of nasty input and of older tables on the other databases."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from tests.support.peers import ROOT
from tests.unit import test_nasty
from tests.unit.messages import test_tolerant


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
def test_other_databases_accept_and_refuse_the_same(
    kind: str, request: pytest.FixtureRequest
) -> None:
    server: Any = request.getfixturevalue(f"{kind}_server")
    files = [test_nasty.__file__, test_tolerant.__file__]
    tests = [*files, "-k", "any_text or any_number or any_moment or test_tolerant"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--no-migrations", "-p", "no:cacheprovider", *tests],
        cwd=ROOT,
        env={**os.environ, "MONITIO_TEST_DATABASE": server.database("nasty")},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stdout + run.stderr
