"""Connections to a server that a test can interrupt without an error on either side."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable


class Forwarder:
    """Listens on ``host`` and forwards each connection to one that ``connect`` opens."""

    def __init__(self, host: str, connect: Callable[[], socket.socket]) -> None:
        self._connect = connect
        self._passing = threading.Event()
        self._passing.set()
        self._blocked: list[threading.Event] = []
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server((host, 0))
        self.host, self.port = self._listener.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Hold back the bytes of both directions; new connections are accepted."""
        self._passing.clear()

    def restore(self) -> None:
        """Deliver the bytes held back, and forward again."""
        self._passing.set()

    def forget(self) -> None:
        """Hold back the bytes of the present connections until ``close``; new ones work."""
        self._blocked.append(self._passing)
        self._passing.clear()
        self._passing = threading.Event()
        self._passing.set()

    def close(self) -> None:
        for passing in [self._passing, *self._blocked]:
            passing.set()
        # Otherwise the thread in accept() keeps the listener open.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for opened in [self._listener, *self._sockets]:
            opened.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # closed
            try:
                server = self._connect()
            except OSError:
                client.close()
                continue
            self._sockets += [client, server]
            for source, target in ((client, server), (server, client)):
                ends = (source, target, self._passing)
                threading.Thread(target=self._forward, args=ends, daemon=True).start()

    @staticmethod
    def _forward(source: socket.socket, target: socket.socket, passing: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                passing.wait()
                target.sendall(data)
        passing.wait()
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
