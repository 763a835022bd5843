"""Distributes tests to pytest-xdist's processes: tests that share servers run in one process."""

from __future__ import annotations

import re
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.integration.celery.profiles import PROFILES

CELERY, CHROMIUM = "tests/integration/celery/", "tests/e2e/browser/"
# Longest first, so that "rabbitmq-redis" does not match "rabbitmq".
PROFILE = re.compile(rf"[\[-]({'|'.join(sorted(PROFILES, key=len, reverse=True))})[\]-]")


class ByServers(LoadScopeScheduling):  # type: ignore[misc]
    """A process gets one file, all Chromium tests, or all tests of one kind of Celery site.

    The order is that of the collection.
    """

    def __init__(self, config: pytest.Config, log: Any) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        if path.startswith(CELERY) and (profile := PROFILE.search(nodeid)):
            return f"{CELERY} on {profile[1]}"
        if path.startswith(CHROMIUM) and not path.endswith("/test_engines.py"):
            return CHROMIUM
        return path
