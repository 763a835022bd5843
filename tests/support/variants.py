"""Variants: tests whose behaviour `make test` covers on another server, database or theme.

`make test-full` runs them. A single variant is marked in its file: ``@pytest.mark.variant``.
"""

from __future__ import annotations

import pytest

# Parameter of a test or fixture -> values that only `make test-full` runs.
SERVERS = frozenset(
    {
        *("daphne", "daphne-endpoint", "hypercorn", "hypercorn-endpoint"),
        *("granian", "granian-endpoint", "granian-wsgi", "waitress", "runserver"),
    }
)
PROFILES = frozenset({"sqlite", "no-results"})
# Tests of task outcomes that depend on the broker or the result backend.
BY_BROKER = frozenset(
    {
        "test_success_is_emailed_once",
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
        "test_a_task_that_exits_and_is_redelivered_continues",
        "test_a_killed_child_with_late_ack_fails",
        "test_a_killed_child_whose_task_is_redelivered_continues",
        "test_a_replaced_task_continues_with_its_own_texts",
    }
)
THEMES = frozenset({"admin", "bootstrap5", "foundation", "jqueryui"})
DATABASE_FILES = (
    "mail/test_digest_processes.py",
    "channels/test_email.py",
    "integration/test_nasty.py",
    "races/test_races.py",
)
# Databases of the processes in tests of races and e-mails, and in those of other channels.
DATABASES = frozenset({"plain", "mariadb"})
MORE_DATABASES = frozenset({"postgres", "mariadb"})


# Tests of behaviour that is specific to django-tasks-rq.
OF_RQ = frozenset(
    {
        "test_success_is_reported_with_the_authors_texts",
        "test_a_task_that_checks_for_its_cancellation_stops",
        "test_a_job_whose_worker_was_killed_is_interrupted",
        "test_a_task_whose_own_process_was_killed_fails",
    }
)


def is_variant(item: pytest.Item) -> bool:
    """Whether only `make test-full` runs this test. Tests of a single server are no variants."""
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
