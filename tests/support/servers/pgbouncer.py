"""Debian's pgbouncer in front of a PostgreSQL server."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.support.servers.ports import ShortFolder, free_port, is_listening
from tests.support.servers.postgres import Postgres
from tests.support.waiting import wait_until


class PgBouncer:
    """Transaction pooling, as most sites use it, with ``size`` connections."""

    def __init__(self, server: Postgres, size: int = 4) -> None:
        self.folder = ShortFolder("pgbouncer-")
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self._socket_folder = server.socket_folder
        self._config = self.folder.path / "pgbouncer.ini"
        self._config.write_text(
            f"[databases]\n* = host={self._socket_folder} user=postgres\n"
            "[pgbouncer]\npool_mode = transaction\n"
            f"default_pool_size = {size}\nmax_client_conn = 500\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\n"
            "auth_type = any\nignore_startup_parameters = extra_float_digits\n"
        )

    @staticmethod
    def program() -> str:
        # Debian installs daemons in folders that only root's PATH contains.
        return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin") or ""

    def database(self, name: str) -> str:
        """The address of the database of this name, through the pooler."""
        return f"postgres://postgres@127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        command = [self.program(), str(self._config)]
        if os.geteuid() == 0:
            # pgbouncer refuses to run as root, and only the server's user reaches the socket.
            self.folder.path.chmod(0o755)
            command[1:1] = ["--user", Path(self._socket_folder).owner()]
        with (self.folder.path / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        wait_until(lambda: is_listening(self.port), message=self._log_text)

    def close(self) -> None:
        """Stop it and remove its files."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(40)
        self.folder.remove()

    def _log_text(self) -> str:
        return f"pgbouncer does not answer. Its log:\n{(self.folder.path / 'log').read_text()}"
