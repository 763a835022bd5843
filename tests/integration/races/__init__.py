"""Races between four processes, on SQLite, PostgreSQL and MariaDB."""
