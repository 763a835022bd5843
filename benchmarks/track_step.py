"""What a step of ``track()`` costs that shows nothing, on top of a bare loop of the same shape.

    python -m benchmarks.track_step

Prints nanoseconds a step, the median of several rounds, both loops measured in turn.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterable, Iterator

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from monitio.integrations.run import TaskRun, activate, deactivate
from monitio_celery import track

STEPS, ROUNDS = 1_000_000, 9


class Silent:
    """A reporter that takes everything and does nothing."""

    def progressed(self, *args: object, **kwargs: object) -> bool:
        return True


def bare(items: Iterable[int]) -> Iterator[int]:
    """A generator like ``track``'s that counts and does nothing else."""
    done = 0
    for item in items:
        yield item
        done += 1  # noqa: SIM113 - the same shape as track()


def seconds(iterable: Iterable[int]) -> float:
    start = time.perf_counter()
    for _item in iterable:
        pass
    return time.perf_counter() - start


def main() -> None:
    items = range(STEPS)
    activate(TaskRun("benchmark", carried=None, reporter=Silent()))  # type: ignore[arg-type]
    rounds = [(seconds(items), seconds(bare(items)), seconds(track(items))) for _ in range(ROUNDS)]
    deactivate("benchmark")
    loop, generator, tracked = (
        statistics.median(column) / STEPS * 1e9 for column in zip(*rounds, strict=True)
    )
    print(f"bare loop {loop:6.1f} ns, generator {generator:6.1f} ns, track() {tracked:6.1f} ns")
    more, own = tracked - loop, tracked - generator
    print(f"A step of track() costs {more:.0f} ns more than a loop's, {own:.0f} of them its own.")


if __name__ == "__main__":
    main()
