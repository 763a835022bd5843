"""Runs several processes as one command: they start together and none outlives the launcher.

Every process leads a process group of its own, so that Ctrl-C in the terminal reaches the launcher
alone, which then stops them in order. A small reaper process (reaper.py) holds the other end of a
pipe: when the launcher is killed, the pipe closes, and the reaper ends what is left.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import IO

# What deserves a place on the screen, in the words of Django, Celery and uvicorn.
LOUD = re.compile(r"\b(WARNING|ERROR|CRITICAL)\b")
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STARTS_WITHIN = 60.0
# Seconds for a clean end; a worker's running task then is interrupted.
STOPS_WITHIN = 4.0


class Stop(BaseException):
    """The launcher was asked to end, by a signal."""


class Failed(Exception):
    """A process did not start, or ended by itself."""


class Process:
    """One child, its group and its output."""

    def __init__(self, name: str, popen: subprocess.Popen[str], *, quiet: bool) -> None:
        self.name, self.popen, self.quiet = name, popen, quiet
        self.last: list[str] = []
        self._output = ""
        self._changed = threading.Condition()

    @property
    def is_running(self) -> bool:
        return self.popen.poll() is None

    def read(self, log: IO[str]) -> None:
        """Copy the output to the log, and what is alarming to the screen. Runs in a thread."""
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            log.write(f"{self.name:7}| {line}")
            log.flush()
            if LOUD.search(line) and not self.quiet:
                print(f"{self.name:7}| {line.rstrip()}", file=sys.stderr, flush=True)
            with self._changed:
                self.last = [*self.last[-20:], line.rstrip()]
                self._output += line
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def wait_for(self, words: str) -> None:
        """Wait until its output has ``words``. Raises ``Failed`` when it ends or is silent."""
        deadline = time.monotonic() + STARTS_WITHIN
        with self._changed:
            while words not in self._output:
                if not self.is_running or time.monotonic() > deadline:
                    raise Failed(f"{self.name} did not start:\n" + "\n".join(self.last))
                self._changed.wait(0.2)
        # It is waited for once; a long run must not collect its whole output.
        self._output = ""

    def signal_group(self, number: int) -> None:
        try:
            os.killpg(self.popen.pid, number)
        except (ProcessLookupError, PermissionError):
            # macOS answers EPERM for a group of which only zombies are left.
            return


class Launcher:
    """A context manager: whatever was started inside has ended outside."""

    def __init__(self, log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log_path = log
        self.log = log.open("w", encoding="utf-8", errors="replace")
        self.processes: list[Process] = []
        self._readers: list[threading.Thread] = []
        self._is_starting = self._has_to_stop = False

    def __enter__(self) -> Launcher:
        for number in STOP_SIGNALS:
            signal.signal(number, self._stop)
        reader, self._lifeline = os.pipe()
        reaper = str(Path(__file__).with_name("reaper.py"))
        self._reaper = subprocess.Popen(
            [sys.executable, "-S", reaper], stdin=reader, start_new_session=True
        )
        os.close(reader)
        return self

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        quiet: bool = False,
    ) -> Process:
        """Start ``command``. A ``quiet`` one's warnings stay in the log."""
        # A signal waits until the process is registered, or nothing would end it.
        self._is_starting = True
        try:
            process = self._start(name, command, env or {}, quiet)
        finally:
            self._is_starting = False
        if self._has_to_stop:
            raise Stop
        return process

    def _start(
        self, name: str, command: Sequence[str], env: Mapping[str, str], quiet: bool
    ) -> Process:
        popen = subprocess.Popen(
            command,
            env={**os.environ, **env, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        os.write(self._lifeline, f"{popen.pid}\n".encode())
        process = Process(name, popen, quiet=quiet)
        self.processes.append(process)
        reader = threading.Thread(target=process.read, args=(self.log,), daemon=True)
        reader.start()
        self._readers.append(reader)
        return process

    def run(
        self, name: str, command: Sequence[str], *, env: Mapping[str, str] | None = None
    ) -> None:
        """Run ``command`` to its end. Raises ``Failed`` when that is not a good one."""
        process = self.start(name, command, env=env)
        if process.popen.wait() != 0:
            self._readers[-1].join(2)
            raise Failed(f"{name} failed:\n" + "\n".join(process.last))
        self.processes.remove(process)

    def wait(self, while_true: Callable[[], bool] = lambda: True) -> None:
        """Wait until the launcher is stopped. Raises ``Failed`` when a process ends first."""
        while while_true():
            for process in self.processes:
                if not process.is_running:
                    last = "\n".join(process.last)
                    raise Failed(f"{process.name} has exited unexpectedly:\n{last}")
            time.sleep(0.2)

    def __exit__(self, exc_type: object, exc: object, traceback: object) -> None:
        # From here on a further Ctrl-C ends everything at once.
        for number in STOP_SIGNALS:
            signal.signal(number, self._kill)
        # The last started first: the worker before the broker it talks to.
        for process in reversed(self.processes):
            self._end(process)
        os.close(self._lifeline)
        self._reaper.wait(10)
        for reader in self._readers:
            reader.join(2)
        self.log.close()

    def _end(self, process: Process) -> None:
        # The leader alone: a worker ends its children, after their tasks.
        process.popen.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.popen.wait(STOPS_WITHIN)
        # Also what its children left behind.
        process.signal_group(signal.SIGKILL)
        process.popen.wait()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._has_to_stop = True
        if not self._is_starting:
            raise Stop

    def _kill(self, number: int, frame: FrameType | None) -> None:
        for process in self.processes:
            process.signal_group(signal.SIGKILL)
