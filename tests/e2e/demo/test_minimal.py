"""The minimal example stays small, and works."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.demo.running import ROOT, Visitor
from tests.support.servers.ports import ShortFolder, free_port
from tests.support.waiting import wait_until

EXAMPLE = ROOT / "examples" / "minimal"


@pytest.fixture
def copy() -> Iterator[Path]:
    """A copy of the example without the files of a previous run."""
    folder = ShortFolder("minimal-")
    shutil.copytree(
        ROOT / "examples",
        folder.path / "examples",
        ignore=shutil.ignore_patterns("var", "demo", "__pycache__"),
    )
    yield folder.path
    folder.remove()


def test_its_two_files_have_less_than_80_lines() -> None:
    lines = [
        line
        for name in ("site.py", "tasks.py")
        for line in (EXAMPLE / name).read_text().splitlines()
    ]
    assert len(lines) < 80


def test_it_starts_a_site_and_a_worker_that_count_sheep(copy: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    output = copy / "output"
    with output.open("wb") as output_file:
        process = subprocess.Popen(
            [sys.executable, "-m", "examples.minimal", address],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": f"{copy}{os.pathsep}{ROOT}"},
            stdout=output_file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_until(lambda: "Ctrl-C" in output.read_text(), 60, output.read_text)
        visitor = Visitor(f"http://{address}")
        assert visitor.post("/").status_code == 302
        message = wait_until(
            lambda: next((m for m in visitor.messages() if m["level"] == "success"), None),
            message=lambda: str(visitor.messages()),
        )
        assert message is not None
        assert (message["title"], message["body"]) == ("Sheep: done", "All 50 are asleep.")
        visitor.close()
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(120) == 0
    finally:
        process.kill()
        process.wait(120)
