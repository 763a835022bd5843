"""Deadlocks are recognised, and the transaction is repeated."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError, transaction

from monitio.jobs.fallback import RETRIES
from monitio.jobs.states import advance
from monitio.models import Job
from monitio.utils.database import is_deadlock
from tests.support.jobs import reporter, subjects_of
from tests.support.people import user

DEADLOCK = OperationalError(1213, "Deadlock found when trying to get lock")


def test_mysqls_deadlock_is_known_by_its_number() -> None:
    assert is_deadlock(DEADLOCK)
    assert not is_deadlock(OperationalError(1205, "Lock wait timeout exceeded"))


@pytest.mark.parametrize("name", ["sqlstate", "pgcode"])
def test_postgresqls_deadlock_is_known_by_its_state(name: str) -> None:
    error = OperationalError("deadlock detected")
    error.__cause__ = type("DeadlockDetected", (Exception,), {name: "40P01"})()
    assert is_deadlock(error)


def test_a_locked_sqlite_database_is_not_a_deadlock() -> None:
    assert not is_deadlock(OperationalError("database is locked"))


class Deadlocked:
    """Replaces the update of a row: raises a deadlock ``times`` times before it succeeds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
        self.times = times
        monkeypatch.setattr("monitio.jobs.reporter.advance", self)

    def __call__(self, *args: Any, **kwargs: Any) -> Job | None:
        self.times -= 1
        if self.times >= 0:
            raise DEADLOCK
        return advance(*args, **kwargs)


@pytest.mark.django_db(transaction=True)
class TestReporting:
    def test_a_report_is_repeated_after_a_deadlock(self, monkeypatch: pytest.MonkeyPatch) -> None:
        Deadlocked(monkeypatch, RETRIES)
        assert reporter(user()).succeeded()
        assert subjects_of(user()) == ["succeeded 0"]

    def test_a_deadlock_that_never_ends_is_raised(self, monkeypatch: pytest.MonkeyPatch) -> None:
        Deadlocked(monkeypatch, RETRIES + 1)
        with pytest.raises(OperationalError):
            reporter(user()).succeeded()

    def test_the_callers_transaction_which_is_undone_is_not_written_to(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        Deadlocked(monkeypatch, 1)
        with pytest.raises(OperationalError), transaction.atomic():
            reporter(user()).succeeded()
