"""Which tests are variants: `make test` proves the same on another server, database or theme."""

from __future__ import annotations

import pytest

# By the parameter of a test or fixture, the values that `make test-full` alone runs.
SERVERS = frozenset(
    {
        *("daphne", "daphne-endpoint", "hypercorn", "hypercorn-endpoint"),
        *("granian", "granian-endpoint", "granian-wsgi", "waitress", "runserver"),
    }
)
PROFILES = frozenset({"sqlite", "no-results"})
THEMES = frozenset({"admin", "bootstrap5", "foundation", "jqueryui"})
DATABASE_FILES = (
    "mail/test_digest_processes.py",
    "channels/test_email.py",
    "integration/test_nasty.py",
    "races/test_races.py",
)
# Databases that the processes of races and e-mails share, and those of the other channels.
DATABASES = frozenset({"plain", "mariadb"})
MORE_DATABASES = frozenset({"postgres", "mariadb"})


# What django-tasks-rq does in a way of its own.
OF_RQ = frozenset(
    {
        "test_success_is_reported_in_the_authors_words",
        "test_a_task_that_looks_whether_it_is_cancelled_stops",
        "test_a_job_whose_worker_was_killed_is_interrupted",
        "test_a_task_whose_own_process_was_killed_fails",
    }
)


def is_variant(item: pytest.Item) -> bool:
    """Tests of one server or database alone are none."""
    values = getattr(item, "callspec", None)
    if values is None:
        return False
    parameters, path = values.params, item.nodeid.partition("::")[0]
    if path.startswith("tests/integration/celery/"):
        only = [name for mark in item.iter_markers("only_on") for name in mark.args]
        return len(only) != 1 and parameters.get("profile") in PROFILES
    if path.endswith(("stream/test_every_server.py", "stream/test_servers.py")):
        return any(value in SERVERS for value in parameters.values() if isinstance(value, str))
    if path.endswith(DATABASE_FILES):
        return any(value in DATABASES for value in parameters.values() if isinstance(value, str))
    if path.startswith("tests/integration/channels/"):
        return parameters.get("database") in MORE_DATABASES
    if path.endswith("tasks/test_tasks.py"):
        return parameters.get("running") == "rq" and getattr(item, "originalname", "") not in OF_RQ
    if path.endswith("browser/test_axe.py"):
        return parameters.get("theme") in THEMES and parameters.get("scene") != "toasts"
    return False
