"""Addresses for the tests' own servers."""

from __future__ import annotations

import shutil
import socket
import tempfile
from pathlib import Path


def free_port() -> int:
    """A TCP port of the loopback interface that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_listening(port: int, host: str = "127.0.0.1") -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((host, port)) == 0


class ShortFolder:
    """A folder whose name leaves room for a unix socket's (about 100 bytes in all)."""

    def __init__(self, prefix: str) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
