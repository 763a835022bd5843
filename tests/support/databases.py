"""Convert the address of a database to an entry of Django's DATABASES."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit


def database(url: str) -> dict[str, Any]:
    """``sqlite:///path``, ``postgres://…`` or ``mysql://…`` as an entry of DATABASES.

    The query part goes to ``OPTIONS``, except ``host=``, which may be a folder with a socket.
    """
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return sqlite(parts.path, plain=parts.query == "plain")
    engines = {"postgres": "postgresql", "postgresql": "postgresql", "mysql": "mysql"}
    if parts.scheme not in engines:
        raise ValueError(f"{url!r} is none of sqlite:///path, postgres://… and mysql://…")
    if parts.scheme == "mysql":
        use_pymysql()
    options = dict(parse_qsl(parts.query))
    return {
        "ENGINE": f"django.db.backends.{engines[parts.scheme]}",
        "NAME": parts.path.lstrip("/"),
        "USER": parts.username or "",
        "PASSWORD": parts.password or "",
        "HOST": parts.hostname or options.pop("host", ""),
        "PORT": parts.port or "",
        "OPTIONS": options,
    }


def sqlite(path: str, plain: bool = False) -> dict[str, Any]:
    """An SQLite database that processes can share: writers wait for each other instead of failing.

    ``plain``: with a new project's settings; transactions that read before they write may fail.
    """
    if plain:
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": path, "TEST": {"NAME": path}}
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        # Without a name, Django would keep the test database in memory.
        "TEST": {"NAME": path},
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }


def use_pymysql() -> None:
    """Use PyMySQL instead of mysqlclient, which needs a compiler."""
    import pymysql

    pymysql.install_as_MySQLdb()
