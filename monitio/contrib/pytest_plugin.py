"""Fixtures for the tests of a site with pytest-django: ``monitio.testing``, ready to call.

pytest loads this module before Django is set up, so it imports nothing of monitio by itself.
"""

from __future__ import annotations

from typing import Any

import pytest


def _function(name: str) -> Any:
    def function(db: None) -> Any:
        from monitio import testing

        return getattr(testing, name)

    function.__doc__ = f"``monitio.testing.{name}``; the test may use the database."
    return pytest.fixture(name=name)(function)


assert_notified = _function("assert_notified")
assert_not_notified = _function("assert_not_notified")
capture_deliveries = _function("capture_deliveries")
capture_events = _function("capture_events")
capture_messages = _function("capture_messages")
open_stream = _function("open_stream")
run_digests = _function("run_digests")
run_due = _function("run_due")
