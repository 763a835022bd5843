"""What progress() and track() report and how often, without a worker."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from monitio.integrations import run as running
from monitio.integrations.run import TaskRun
from monitio_celery import progress, track


class Recorder:
    """A reporter that records its calls."""

    def __init__(self) -> None:
        self.shown: list[tuple[Any, ...]] = []

    def progressed(
        self, done: Any, total: Any = None, text: str = "", *, final: bool = False
    ) -> bool:
        self.shown.append((done, total, text))
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The current time, which the test changes."""
    now = [1000.0]
    # The package's attribute `progress` is the function, not the module.
    module = sys.modules["monitio.integrations.progress"]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def recorder(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    """Activate a task's run in the test, with a recorder as its reporter."""
    monkeypatch.setattr("monitio.dispatch.in_transaction", lambda: False)
    recorder = Recorder()
    running.activate(TaskRun("1", carried=None, reporter=recorder))  # type: ignore[arg-type]
    yield recorder
    running.deactivate("1")


def test_outside_of_a_task_progress_reports_nothing() -> None:
    bar = progress(total=3, text="a")
    bar.advance()
    bar.update(2, text="b")
    with bar:
        bar.text = "c"
    assert bar.done == 2


def test_outside_of_a_task_track_iterates() -> None:
    assert list(track([1, 2, 3])) == [1, 2, 3]
    assert list(track(n for n in range(3))) == [0, 1, 2]


def test_the_first_step_and_the_last_are_shown(recorder: Recorder, clock: list[float]) -> None:
    assert list(track("abc")) == ["a", "b", "c"]
    assert recorder.shown[0] == (1, 3, "")
    assert recorder.shown[-1] == (3, 3, "")
    assert len(recorder.shown) == 2


def test_progress_is_shown_at_most_four_times_a_second(
    recorder: Recorder, clock: list[float]
) -> None:
    bar = progress(total=1000)
    for _ in range(1000):
        clock[0] += 0.01
        bar.advance()
    assert 35 <= len(recorder.shown) <= 41


@pytest.mark.parametrize(("interval", "shown"), [(0, 1000), (0.1, 100), (2, 5)])
def test_the_interval_is_a_setting(
    recorder: Recorder, clock: list[float], settings: Any, interval: float, shown: int
) -> None:
    settings.MONITIO_PROGRESS_PUSH_INTERVAL = interval
    bar = progress(total=1000)
    for _ in range(1000):
        clock[0] += 0.01
        bar.advance()
    assert len(recorder.shown) == pytest.approx(shown, rel=0.1)


def test_a_text_is_shown_at_once(recorder: Recorder, clock: list[float]) -> None:
    bar = progress(total=2, text="reading")
    bar.text = "writing"
    assert [text for _, _, text in recorder.shown] == ["reading", "writing"]


def test_texts_that_change_all_the_time_are_throttled(
    recorder: Recorder, clock: list[float]
) -> None:
    bar = progress(total=1000)
    for number in range(1000):
        clock[0] += 0.01
        bar.text = str(number)
    assert len(recorder.shown) <= 41


def test_throttled_progress_is_shown_at_the_end(recorder: Recorder, clock: list[float]) -> None:
    bar = progress(total=10)
    for _ in range(10):
        bar.advance()
    assert recorder.shown[-1] == (1, 10, "")
    run = running.run_of("1")
    assert run is not None
    run.flush()
    assert recorder.shown[-1] == (10, 10, "")


def test_an_inner_bar_fills_one_step_of_the_outer(recorder: Recorder, clock: list[float]) -> None:
    for _ in track(range(2), text="files"):
        for _row in track(range(4)):
            clock[0] += 1
    assert [done for done, _, _ in recorder.shown] == sorted(d for d, _, _ in recorder.shown)
    assert {total for _, total, _ in recorder.shown} == {2}
    assert (0.25, 2, "files") in recorder.shown
    assert recorder.shown[-1] == (2, 2, "files")


def test_an_unknown_total(recorder: Recorder, clock: list[float]) -> None:
    for _ in track(n for n in range(2)):
        clock[0] += 1
    assert recorder.shown[-1] == (2, None, "")


def test_a_broken_loop_removes_its_bar(recorder: Recorder, clock: list[float]) -> None:
    for number in track(range(10)):
        clock[0] += 1
        if number == 4:
            break
    run = running.run_of("1")
    assert run is not None
    assert run.bars == []


def test_async_for(recorder: Recorder, clock: list[float]) -> None:
    async def numbers() -> AsyncIterator[int]:
        for number in range(3):
            yield number

    async def collect() -> list[int]:
        return [number async for number in track(numbers(), total=3)]

    assert asyncio.run(collect()) == [0, 1, 2]
    assert recorder.shown[-1] == (3, 3, "")


def test_async_for_over_a_list(recorder: Recorder) -> None:
    async def collect() -> list[int]:
        return [number async for number in track([1, 2])]

    assert asyncio.run(collect()) == [1, 2]


def test_for_over_an_asynchronous_iterable_raises_an_error_with_the_fix() -> None:
    async def numbers() -> AsyncIterator[int]:
        yield 1

    with pytest.raises(TypeError, match="async for"):
        list(track(numbers()))  # type: ignore[call-overload]


def test_a_reporter_that_fails_does_not_stop_the_task(
    recorder: Recorder, clock: list[float], monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    def fail(*args: Any, **kwargs: Any) -> bool:
        raise OSError("no database")

    monkeypatch.setattr(recorder, "progressed", fail)
    assert list(track("ab")) == ["a", "b"]
    assert "could not be shown" in caplog.text


def test_a_step_that_shows_nothing_is_cheap(recorder: Recorder, clock: list[float]) -> None:
    calls: Counter[str] = Counter()
    steps = track(range(1010))
    for _ in zip(range(10), steps, strict=False):
        pass
    sys.setprofile(lambda frame, event, arg: calls.update([event]))
    try:
        for _ in zip(range(999), steps, strict=False):
            pass
    finally:
        sys.setprofile(None)
    # The generator's step and the clock, which is a Python function in the tests.
    assert calls["call"] + calls["c_call"] < 2.1 * 999, calls
