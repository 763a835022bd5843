"""The estimated rate is smoothed and restarts with a new bar."""

from __future__ import annotations

from itertools import pairwise

from monitio.jobs.rate import RateEstimator


def after(*steps: tuple[float, float]) -> RateEstimator:
    """An estimator after these updates: pairs of seconds and steps done by then."""
    estimator = RateEstimator()
    for now, done in steps:
        estimator.update(now, done)
    return estimator


def test_there_is_no_rate_before_three_seconds() -> None:
    assert after((100, 0), (102.9, 50)).rate is None
    assert after((100, 0), (103, 60)).rate == 20


def test_there_is_no_rate_of_a_bar_that_does_not_move() -> None:
    assert after((0, 5), (10, 5)).rate is None


def test_a_steady_bar_has_a_steady_rate() -> None:
    estimator = RateEstimator()
    for second in range(120):
        estimator.update(second, 7 * second)
        assert second < 3 or estimator.rate == 7


def test_one_slow_step_does_not_make_it_jump() -> None:
    rates = []
    estimator = RateEstimator()
    done = 0.0
    for tick in range(240):
        done += 0 if 100 <= tick < 104 else 1
        estimator.update(tick / 4, done)
        rates.append(estimator.rate)
    known = [rate for rate in rates if rate]
    assert max(abs(after - before) / before for before, after in pairwise(known)) < 0.1


def test_old_updates_lose_their_weight() -> None:
    estimator = after(*((second, 100 * second) for second in range(10)))
    for second in range(10, 100):
        estimator.update(second, 900 + second - 9)
    assert estimator.rate is not None and 0.9 < estimator.rate < 1.5


def test_long_steps_weigh_by_their_length() -> None:
    assert after((0, 0), (60, 1), (120, 2), (180, 3)).rate == float(f"{1 / 60:.3g}")


def test_a_bar_that_begins_again_has_a_rate_of_its_own() -> None:
    estimator = after((0, 0), (10, 1000), (11, 1))
    assert estimator.rate is None
    estimator.update(14, 7)
    assert estimator.rate == 2


def test_an_update_without_a_number_counts_as_the_start() -> None:
    estimator = RateEstimator()
    estimator.update(0, None)
    estimator.update(4, 8)
    assert estimator.rate == 2
