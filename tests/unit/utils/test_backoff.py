"""Delays between attempts."""

from __future__ import annotations

from monitio.utils.backoff import MAX_BACKOFF, backoff


def test_the_pause_grows_and_is_bounded() -> None:
    assert 0.2 <= backoff(1) <= 0.4
    assert all(MAX_BACKOFF / 2 <= backoff(failures) <= MAX_BACKOFF for failures in (6, 99))
    assert len({backoff(99) for _ in range(9)}) > 1, "delays differ between processes"
