"""A line between a host and a server that tests may cut: nothing passes, without an error."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable


class Forwarder:
    """Listens on ``host`` and passes bytes on to what ``connect`` connects to."""

    def __init__(self, host: str, connect: Callable[[], socket.socket]) -> None:
        self._connect = connect
        self._whole = threading.Event()
        self._whole.set()
        self._forgotten: list[threading.Event] = []
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server((host, 0))
        self.host, self.port = self._listener.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """From now on bytes are held back, in both directions; connections still open."""
        self._whole.clear()

    def mend(self) -> None:
        """What was held back arrives, as TCP does it."""
        self._whole.set()

    def forget(self) -> None:
        """The present connections stay open and pass nothing any more; new ones work."""
        self._forgotten.append(self._whole)
        self._whole.clear()
        self._whole = threading.Event()
        self._whole.set()

    def close(self) -> None:
        for one in [self._whole, *self._forgotten]:
            one.set()
        # Without it, the thread in accept() would keep the listener open.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for one in [self._listener, *self._sockets]:
            one.close()

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
                line = (source, target, self._whole)
                threading.Thread(target=self._pass, args=line, daemon=True).start()

    @staticmethod
    def _pass(source: socket.socket, target: socket.socket, whole: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                whole.wait()
                target.sendall(data)
        whole.wait()
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
