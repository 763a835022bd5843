"""The kinds of sites that tests run on: database, broker and result backend.

Every test runs on ``DEFAULT``; ``@pytest.mark.also_on("sqlite")`` adds one for a test or module,
``only_on`` lists the only ones for which the test makes sense.
``MONITIO_TEST_PROFILES="rabbitmq-redis,django-db"`` runs all tests on these profiles instead;
``no-results`` makes sense for tests of outcomes only.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Profile:
    database: Literal["sqlite", "postgres"]
    broker: Literal["redis", "rabbitmq"]
    results: Literal["redis", "django-db", ""]


PROFILES = {
    "sqlite": Profile(database="sqlite", broker="redis", results="redis"),
    "postgres": Profile(database="postgres", broker="redis", results="redis"),
    "rabbitmq": Profile(database="postgres", broker="rabbitmq", results="django-db"),
    "no-results": Profile(database="sqlite", broker="redis", results=""),
    "django-db": Profile(database="sqlite", broker="redis", results="django-db"),
    "rabbitmq-redis": Profile(database="sqlite", broker="rabbitmq", results="redis"),
}
# Recipients and cancellation do not depend on the profile; concurrent writes do.
DEFAULT = ("postgres",)


def wanted(more: Collection[str], only: Collection[str]) -> list[str]:
    """The names of the profiles for a test with these marks."""
    asked = os.environ.get("MONITIO_TEST_PROFILES", "")
    names = asked.split(",") if asked else dict.fromkeys((*DEFAULT, *more))
    unknown = {*names, *only} - PROFILES.keys()
    if unknown:
        raise ValueError(f"No such profile: {sorted(unknown)}. There are {', '.join(PROFILES)}.")
    return [name for name in names if not only or name in only]
