"""Measurements of this process; ``monitio.contrib.prometheus`` takes them."""

from __future__ import annotations

from collections.abc import Callable

# Name, value and labels of a measurement.
Recorder = Callable[[str, float, dict[str, str]], None]
# Without one, a measurement costs a call.
_recorders: list[Recorder] = []


def add_recorder(recorder: Recorder) -> None:
    _recorders.append(recorder)


def record(name: str, value: float = 1.0, **labels: str) -> None:
    for recorder in _recorders:
        recorder(name, value, labels)
