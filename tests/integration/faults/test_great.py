"""Many users and web processes killed at random: no message is lost, doubled or misdirected.

The suite runs a short version, `make test-full` the long one. MONITIO_TEST_SEED chooses another
order of deaths.
"""

from __future__ import annotations

import os
import random
import time

import pytest

from tests.integration.faults.sites import NEVER, Site, over
from tests.support.servers.valkey import Valkey

SEED = int(os.environ.get("MONITIO_TEST_SEED", 1))


@pytest.mark.parametrize(
    ("people", "messages", "seconds"),
    [
        pytest.param(60, 600, 6, id="short"),
        pytest.param(500, 10_000, 60, id="great", marks=pytest.mark.soak),
    ],
)
def test_web_processes_are_killed_at_random(
    people: int, messages: int, seconds: int, tmp_path: object, redis: Valkey
) -> None:
    chance = random.Random(SEED)
    print(f"MONITIO_TEST_SEED={SEED}")
    database = f"sqlite://{tmp_path}/site.sqlite3"
    with Site(database, over(redis, **NEVER), webs=3, people=people, seed=SEED) as site:
        keys = [chance.choice(site.keys) for _ in range(messages)]
        plan = [[key, f"{key} {number}"] for number, key in enumerate(keys)]
        site.writer.begin("write_all", plan, seconds)
        kills = kill_at_random(site, chance, seconds)
        longest = site.writer.end()
        ended = time.monotonic()
        site.settle(120)
        print(
            f"{messages} messages to {people} pages, {kills} kills;"
            f" {sum(page.streams for page in site.pages)} streams,"
            f" {sum(page.snapshots for page in site.pages)} snapshots,"
            f" refused {dict(site.crowd.refused)};"
            f" longest write {longest:.2f} s,"
            f" all pages right {time.monotonic() - ended:.1f} s after the last"
        )
        assert kills
        assert site.shown() == messages, "each was shown once, on one page"


def kill_at_random(site: Site, chance: random.Random, seconds: float) -> int:
    """Kill and replace one web process after the other for ``seconds``; returns how many."""
    end, kills = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        time.sleep(chance.uniform(0.3, 2.5))
        number = chance.randrange(len(site.webs.servers))
        site.webs.kill(number)
        site.webs.replace(number)
        kills += 1
    return kills
