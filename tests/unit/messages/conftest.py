"""Runs tests in both ways to write messages: by one compiled statement, and by Django's ORM."""

from __future__ import annotations

from typing import Any

import pytest

from monitio import dispatch
from monitio.models import Message
from monitio.utils import compiled_inserts

COMPILED, ORM = "compiled", "orm"


@pytest.fixture(params=[COMPILED, ORM])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    if request.param == ORM:
        monkeypatch.setattr(compiled_inserts, "can_insert_one", lambda model, alias: False)
        monkeypatch.setattr(compiled_inserts, "can_insert_many", lambda model, alias: False)
    elif not compiled_inserts.can_insert_one(Message, "default"):
        pytest.skip("this database has the way of the ORM alone")
    return request.param


@pytest.fixture
def without_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a task queue, the committing process sends e-mails."""
    monkeypatch.setattr(dispatch.hooks, "deliver", None)
