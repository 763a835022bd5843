"""Each outage is logged in one line."""

from __future__ import annotations

import pytest

from monitio.utils.outage import Outage, one_line


def test_an_outage_is_one_line_without_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage()
    for _ in range(3):
        try:
            raise ConnectionError("refused\nby a server")
        except ConnectionError as error:
            outage.begins("Redis is away. %s", error)
    (record,) = caplog.records
    assert record.getMessage() == "Redis is away. ConnectionError: refused"
    assert record.exc_info is None


def test_the_next_outage_is_the_next_line(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage()
    for _ in range(2):
        outage.begins("Redis is away. %s", ConnectionError())
        outage.ends()
    assert len(caplog.records) == 2


def test_a_long_error_is_cut() -> None:
    assert len(one_line(ValueError("x" * 10_000))) == 300
