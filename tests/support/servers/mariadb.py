"""Debian's MariaDB as a child process, on a unix socket in its own folder."""

from __future__ import annotations

import getpass
import shutil
import socket
import subprocess

from tests.support.servers.ports import ShortFolder
from tests.support.waiting import wait_until


class MariaDB:
    """``url`` names its database ``monitio``; the user may create more databases."""

    def __init__(self) -> None:
        self.folder = ShortFolder("mariadb-")
        self.socket = self.folder.path / "sock"
        self.process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def is_installed() -> bool:
        return bool(_program("mariadbd") and _program("mariadb-install-db"))

    @property
    def url(self) -> str:
        return f"mysql://root@/monitio?unix_socket={self.socket}"

    def database(self, name: str) -> str:
        """The address of a new, empty database of this name."""
        import pymysql

        with pymysql.connect(user="root", unix_socket=str(self.socket)) as connection:
            with connection.cursor() as cursor:
                cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")
                cursor.execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
        return f"mysql://root@/{name}?unix_socket={self.socket}"

    def start(self) -> None:
        data = self.folder.path / "data"
        # MariaDB runs as root only with an explicit --user.
        common = ("--no-defaults", f"--datadir={data}", f"--user={getpass.getuser()}")
        options = ("--skip-test-db", "--auth-root-authentication-method=normal")
        log = (self.folder.path / "log").open("ab")
        subprocess.run(
            [_program("mariadb-install-db"), *common, *options],
            check=True,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        start = self.folder.path / "start.sql"
        start.write_text("CREATE DATABASE monitio CHARACTER SET utf8mb4;\n")
        with log:
            self.process = subprocess.Popen(
                [
                    _program("mariadbd"),
                    *common,
                    "--skip-networking",
                    f"--socket={self.socket}",
                    f"--pid-file={self.folder.path / 'pid'}",
                    f"--init-file={start}",
                    "--character-set-server=utf8mb4",
                    # Small, and not crash-safe: the server lives for one run.
                    "--innodb-buffer-pool-size=64M",
                    "--innodb-flush-log-at-trx-commit=0",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wait_until(self._answers, message=self._log_text, interval=0.1)

    def close(self) -> None:
        """Stop it and remove its files."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(40)
        self.folder.remove()

    def _answers(self) -> bool:
        # The server listens after it has run the init file.
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.socket)) == 0

    def _log_text(self) -> str:
        log = (self.folder.path / "log").read_text(errors="replace")
        return f"MariaDB does not answer. Its log:\n{log[-3000:]}"


def _program(name: str) -> str:
    # Debian installs daemons in folders that only root's PATH contains.
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin") or ""
