"""Which tests are variants: `make test` proves the same on another server, database or theme.

A variant that is one of its kind has ``@pytest.mark.variant`` where it stands.
"""

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
# What the broker, or the place of the results, has a part in, of the outcomes of tasks.
BY_BROKER = frozenset(
    {
        "test_success_is_mailed_once",
        "test_two_retries_and_success_are_one_message",
        "test_a_retry_is_reported_as_trying_again",
        "test_revoked_before_it_starts",
        "test_expired_before_it_starts",
        "test_revoked_with_terminate",
        "test_a_result_that_cannot_be_encoded_fails",
        "test_an_ignored_result_is_reported",
        "test_reject_without_requeue_fails",
        "test_reject_with_requeue_goes_on_with_the_same_message",
        "test_reject_with_requeue_of_an_acknowledged_message_fails",
        "test_a_task_that_exits_and_whose_message_comes_again_goes_on",
        "test_a_killed_child_with_late_ack_fails",
        "test_a_killed_child_whose_message_comes_again_goes_on",
        "test_a_replaced_task_goes_on_in_its_own_words",
    }
)
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
        if path.endswith("test_outcomes.py") and parameters.get("profile") == "rabbitmq":
            return getattr(item, "originalname", "") not in BY_BROKER
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
