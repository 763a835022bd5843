"""``make demo`` starts, answers, and leaves no process behind however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from tests.e2e.demo.running import ROOT, Demo, Visitor
from tests.support.waiting import wait_until


@pytest.fixture
def demo() -> Iterator[Demo]:
    demo = Demo()
    yield demo
    demo.close()


@pytest.fixture
def demo_without_valkey() -> Iterator[Demo]:
    demo = Demo(DEMO_BROKER="filesystem")
    yield demo
    demo.close()


def names(family: list[psutil.Process]) -> str:
    return " ".join(" ".join(process.cmdline()) for process in family)


def runs(process: psutil.Process) -> bool:
    """Whether it runs; a new process with the same id does not count."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def assert_no_process_is_left(family: list[psutil.Process]) -> None:
    wait_until(
        lambda: not any(map(runs, family)),
        message=lambda: f"Still there: {[one for one in family if runs(one)]}",
    )


def test_it_runs_a_site_a_worker_beat_and_a_broker(shared_demo: Demo) -> None:
    url = shared_demo.wait_until_it_runs()
    assert httpx.get(url, timeout=60).status_code == 200
    running = names(shared_demo.family())
    assert all(name in running for name in ("uvicorn", "worker", "beat", "valkey-server"))


def test_ctrl_c_ends_every_process(demo: Demo) -> None:
    demo.wait_until_it_runs()
    family = demo.family()
    os.killpg(demo.process.pid, signal.SIGINT)
    assert demo.process.wait(120) == 0
    assert_no_process_is_left(family)
    assert "Stopped." in demo.printed()


def test_ctrl_c_during_the_start_ends_every_process(demo: Demo) -> None:
    wait_until(lambda: len(demo.family()) > 2, message=demo.printed)
    family = demo.family()
    os.killpg(demo.process.pid, signal.SIGINT)
    demo.process.wait(120)
    assert_no_process_is_left(family)


INTERRUPTED_START = """
import os, signal, subprocess, sys
from pathlib import Path
from examples import launcher

class Interrupted(subprocess.Popen):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        if "sleep" in arguments[0]:
            os.kill(os.getpid(), signal.SIGINT)
            print(self.pid)

launcher.subprocess.Popen = Interrupted
try:
    with launcher.Launcher(Path(sys.argv[1])) as running:
        running.start("sleep", ["sleep", "600"])
except launcher.Stop:
    print("Stopped.")
"""


def test_ctrl_c_before_a_new_process_is_registered_ends_it(tmp_path: Path) -> None:
    launcher = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_START, str(tmp_path / "log")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    pid, stopped = launcher.stdout.split()
    assert stopped == "Stopped."
    with suppress(psutil.NoSuchProcess):
        # Another process may have got its id.
        assert "sleep" not in psutil.Process(int(pid)).cmdline()


def test_killing_the_launcher_ends_every_process(demo: Demo) -> None:
    demo.wait_until_it_runs()
    family = demo.family()
    os.killpg(demo.process.pid, signal.SIGKILL)
    demo.process.wait(120)
    assert_no_process_is_left(family)


def test_a_process_that_dies_ends_the_demo_and_is_named(demo: Demo) -> None:
    demo.wait_until_it_runs()
    family = demo.family()
    valkey = next(p for p in family if "valkey-server" in p.name())
    valkey.kill()
    assert demo.process.wait(120) == 1
    assert "valkey has exited unexpectedly" in demo.printed()
    assert_no_process_is_left(family)


def test_a_second_demo_reports_that_one_runs_already(shared_demo: Demo) -> None:
    second = subprocess.run(
        [sys.executable, "-m", "examples.demo"],
        cwd=ROOT,
        env={**os.environ, "DEMO_VAR": str(shared_demo.folder.path / "var"), "DEMO_PORT": "0"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert second.returncode == 1
    assert "already running" in second.stderr


def test_without_valkey_it_logs_a_warning_and_works(demo_without_valkey: Demo) -> None:
    demo = demo_without_valkey
    url = demo.wait_until_it_runs()
    assert "the demo does without Redis" in demo.printed()
    assert "valkey-server" not in names(demo.family())
    visitor = Visitor(url)
    message = visitor.follow("/start/fail/")
    visitor.close()
    assert message["title"] == "Month-end closing: failed"
    assert "Three October invoices" in str(message["body"])
