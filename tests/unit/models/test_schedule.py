"""The due times of digests: once per period, also when clocks change."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitio.models.schedule import Frequency, Schedule

WARSAW, NEW_YORK = ZoneInfo("Europe/Warsaw"), ZoneInfo("America/New_York")
# Its clocks change by 30 minutes.
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
ZONES = (WARSAW, NEW_YORK, LORD_HOWE)
DAY = timedelta(days=1)


def schedule(frequency: str = "daily", zone: ZoneInfo = WARSAW, **more: object) -> Schedule:
    return Schedule(frequency=frequency, zone=zone, **more)  # type: ignore[arg-type]


def at(text: str, zone: ZoneInfo = WARSAW, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold)


def due_times(plan: Schedule, begin: datetime, days: int) -> Iterator[tuple[datetime, str]]:
    """All due times within these days, each with the name of its period."""
    moment = plan.next(begin)
    while moment < begin + days * DAY:
        yield moment, plan.period(moment)
        moment = plan.next(moment)


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_every_day_of_a_year_has_one_digest(zone: ZoneInfo, subtests: pytest.Subtests) -> None:
    begin = at("2026-01-01T00:00", zone) - timedelta(seconds=1)
    for hour in range(24):
        with subtests.test(hour=hour):
            due = [period for _, period in due_times(schedule(zone=zone, hour=hour), begin, 365)]
            assert due == [f"day {date(2026, 1, 1) + number * DAY}" for number in range(365)]


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_it_is_the_same_local_hour_all_year(zone: ZoneInfo) -> None:
    plan = schedule(zone=zone, hour=8)
    moments = (moment for moment, _ in due_times(plan, at("2026-01-01T00:00", zone), 365))
    assert {moment.astimezone(zone).time() for moment in moments} == {time(8)}


@pytest.mark.parametrize(
    ("zone", "day", "local"),
    [
        (WARSAW, "2026-03-29", "03:30"),
        (NEW_YORK, "2026-03-08", "03:30"),
        (LORD_HOWE, "2026-10-04", "02:45"),
    ],
    ids=str,
)
def test_quiet_hours_that_end_in_a_gap_are_shifted_by_it(
    zone: ZoneInfo, day: str, local: str
) -> None:
    end = time(2, 30) if zone is not LORD_HOWE else time(2, 15)
    plan = schedule(zone=zone, quiet=(time(0), end))
    held = plan.held_until(at(f"{day}T01:00", zone)).astimezone(zone)
    assert held == at(f"{day}T{local}", zone)


@pytest.mark.parametrize(
    ("zone", "before", "after", "hours"),
    [
        (WARSAW, "2026-03-28T12:00", "2026-03-29T12:00", 23),
        (WARSAW, "2026-10-24T12:00", "2026-10-25T12:00", 25),
        (NEW_YORK, "2026-03-07T12:00", "2026-03-08T12:00", 23),
        (NEW_YORK, "2026-10-31T12:00", "2026-11-01T12:00", 25),
        (LORD_HOWE, "2026-10-03T12:00", "2026-10-04T12:00", 23.5),
        (LORD_HOWE, "2026-04-04T12:00", "2026-04-05T12:00", 24.5),
    ],
    ids=str,
)
def test_days_have_the_length_that_clock_changes_give_them(
    zone: ZoneInfo, before: str, after: str, hours: float
) -> None:
    plan = schedule(zone=zone, hour=12)
    first = plan.next(at(before, zone) - timedelta(seconds=1))
    second = plan.next(first)
    assert second == at(after, zone)
    assert second - first == timedelta(hours=hours)


def test_a_skipped_hour_is_shifted_by_the_gap() -> None:
    moment = schedule(hour=2).next(at("2026-03-28T12:00"))
    assert moment.astimezone(WARSAW) == at("2026-03-29T03:00")


def test_of_a_repeated_hour_the_first_counts() -> None:
    plan = schedule(hour=2)
    first = plan.next(at("2026-10-24T12:00"))
    assert first == at("2026-10-25T02:00", fold=0).astimezone(UTC)
    assert plan.next(first) == at("2026-10-26T02:00").astimezone(UTC)


def test_a_leap_day_has_its_digest() -> None:
    periods = [period for _, period in due_times(schedule(), at("2028-02-28T00:00"), 3)]
    assert periods == ["day 2028-02-28", "day 2028-02-29", "day 2028-03-01"]


def test_a_day_skipped_by_a_time_zone_loses_no_digest() -> None:
    # Samoa crossed the date line and skipped 30 December 2011.
    apia = ZoneInfo("Pacific/Apia")
    periods = [
        period for _, period in due_times(schedule(zone=apia), at("2011-12-29T00:00", apia), 4)
    ]
    assert periods == ["day 2011-12-29", "day 2011-12-31", "day 2012-01-01"]


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_weekly_ones_come_on_their_day(zone: ZoneInfo) -> None:
    plan = schedule("weekly", zone, weekday=6, hour=2)
    due = list(due_times(plan, at("2026-01-01T00:00", zone), 365))
    assert len(due) == 52
    assert {moment.astimezone(zone).weekday() for moment, _ in due} == {6}
    assert len({period for _, period in due}) == 52


@pytest.mark.parametrize("zone", ZONES, ids=str)
@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25", "2026-04-05", "2026-10-04"])
def test_hourly_ones_come_every_hour_also_when_clocks_change(zone: ZoneInfo, day: str) -> None:
    due = list(due_times(schedule("hourly", zone), at(f"{day}T00:00", UTC), 2))  # type: ignore[arg-type]
    assert len(due) == len({period for _, period in due}) == 47
    gaps = {later - earlier for (earlier, _), (later, _) in pairwise(due)}
    assert gaps == {timedelta(hours=1)}


class TestQuietHours:
    night = (time(22), time(7))

    @pytest.mark.parametrize(
        ("moment", "held"),
        [
            ("2026-11-23T21:59", "2026-11-23T21:59"),
            ("2026-11-23T22:00", "2026-11-24T07:00"),
            ("2026-11-24T06:59", "2026-11-24T07:00"),
            ("2026-11-24T07:00", "2026-11-24T07:00"),
        ],
    )
    def test_digests_of_the_night_are_delayed_until_morning(self, moment: str, held: str) -> None:
        assert schedule(quiet=self.night).held_until(at(moment)) == at(held)

    def test_they_can_begin_and_end_on_one_day(self) -> None:
        plan = schedule(quiet=(time(13), time(15)))
        assert plan.held_until(at("2026-11-23T14:00")) == at("2026-11-23T15:00")
        assert plan.held_until(at("2026-11-23T16:00")) == at("2026-11-23T16:00")

    def test_equal_begin_and_end_mean_no_quiet_hours(self) -> None:
        moment = at("2026-11-23T08:00")
        assert schedule(quiet=(time(8), time(8))).held_until(moment) == moment

    def test_hourly_digests_of_the_night_become_one_in_the_morning(self) -> None:
        due = list(due_times(schedule("hourly", quiet=self.night), at("2026-11-23T20:30"), 1))
        clocks = [moment.astimezone(WARSAW).hour for moment, _ in due]
        assert clocks == [21, *range(7, 21)]
        assert len({period for _, period in due}) == len(due)

    def test_a_digest_of_the_night_belongs_to_its_own_day(self) -> None:
        plan = schedule(hour=23, quiet=self.night)
        moment = plan.next(at("2026-11-23T12:00"))
        assert moment == at("2026-11-24T07:00")
        assert plan.period(moment) == "day 2026-11-23"

    def test_a_digest_held_by_quiet_hours_is_kept_when_recomputed(self) -> None:
        plan = schedule(hour=23, quiet=self.night)
        assert plan.next(at("2026-11-23T23:30")) == at("2026-11-24T07:00")

    def test_in_a_repeated_hour_they_end_in_the_first_one(self) -> None:
        plan = schedule(quiet=(time(0), time(2, 30)))
        first, second = (at("2026-10-25T02:15", fold=fold) for fold in (0, 1))
        assert plan.held_until(first) == at("2026-10-25T02:30", fold=0).astimezone(UTC)
        assert plan.held_until(second) == second


clocks = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30]))
plans = st.builds(
    Schedule,
    frequency=st.sampled_from([Frequency.HOURLY, Frequency.DAILY, Frequency.WEEKLY]),
    zone=st.sampled_from([*ZONES, ZoneInfo("Asia/Kathmandu"), ZoneInfo("America/St_Johns")]),
    hour=st.integers(0, 23),
    weekday=st.integers(0, 6),
    quiet=st.none() | st.tuples(clocks, clocks),
)
moments = st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))


@given(plans, moments)
def test_whatever_is_chosen_each_period_is_due_once_and_outside_the_quiet_hours(
    plan: Schedule, begin: datetime
) -> None:
    moment, periods = begin, [plan.period(begin)]
    for _ in range(12):
        following = plan.next(moment)
        assert following > moment
        assert plan.held_until(following) == following
        moment = following
        periods.append(plan.period(moment))
    # The first one may be that of the start, delayed by quiet hours.
    assert len(set(periods)) >= len(periods) - 1
    assert len(set(periods[1:])) == len(periods) - 1


@given(plans, plans, moments)
def test_after_a_change_of_zone_or_hour_the_next_digest_is_not_far(
    before: Schedule, after: Schedule, begin: datetime
) -> None:
    moment = before.next(begin)
    period = {"hourly": 1, "daily": 24, "weekly": 7 * 24}[after.frequency]
    # Plus a change of the clocks, and a night of quiet hours.
    assert after.next(moment) - moment <= timedelta(hours=period + 1 + 24)
