"""Ports and folders for the tests' servers."""

from __future__ import annotations

import shutil
import socket
import sys
import tempfile
from pathlib import Path


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port of ``host`` that is reserved for this process until it ends.

    The kernel assigns unused ports to other processes and to outgoing connections. On Linux, a
    bound socket that does not listen prevents both, and a server that sets ``SO_REUSEADDR``, as all
    here do, can listen on the same port.
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind((host, 0))
    port = int(holder.getsockname()[1])
    if sys.platform == "linux":
        # Left open on purpose: it reserves the port.
        holder.detach()
    else:
        holder.close()
    return port


def is_listening(port: int, host: str = "127.0.0.1") -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((host, port)) == 0


class ShortFolder:
    """A folder with a short path: that of a unix socket is limited to about 100 bytes."""

    def __init__(self, prefix: str) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
