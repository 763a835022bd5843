"""Four processes at once, on SQLite, PostgreSQL and MariaDB."""
