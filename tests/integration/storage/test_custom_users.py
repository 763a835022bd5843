"""Users with UUIDs or texts as keys: another site, which needs another process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SUITE = Path(__file__).with_name("custom_users.py")


@pytest.mark.parametrize("model", ["UuidUser", pytest.param("TextUser", marks=pytest.mark.variant)])
def test_every_feature_works_with_other_user_keys(model: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist",
         "--no-migrations", "--ds=tests.settings_uuid", str(SUITE)],
        env=os.environ | {"MONITIO_TEST_USER": model},
        cwd=SUITE.parents[3],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
