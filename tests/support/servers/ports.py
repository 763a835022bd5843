"""Addresses for the tests' own servers."""

from __future__ import annotations

import shutil
import socket
import sys
import tempfile
from pathlib import Path


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port of ``host`` that belongs to this process until it ends.

    The kernel gives a port that nothing holds to the next process that asks for any, or to an
    outgoing connection. On Linux, a bound socket that does not listen keeps both away, and a server
    that sets ``SO_REUSEADDR``, as all here do, can listen beside it.
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind((host, 0))
    port = int(holder.getsockname()[1])
    if sys.platform == "linux":
        # Left open on purpose.
        holder.detach()
    else:
        holder.close()
    return port


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
