"""How long to wait before another attempt."""

from __future__ import annotations

from monitio.patience import LONGEST_PAUSE, pause


def test_the_pause_grows_and_is_bounded() -> None:
    assert 0.2 <= pause(1) <= 0.4
    assert all(LONGEST_PAUSE / 2 <= pause(failures) <= LONGEST_PAUSE for failures in (6, 99))
    assert len({pause(99) for _ in range(9)}) > 1, "not all processes come at once"
