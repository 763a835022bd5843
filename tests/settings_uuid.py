"""A site whose users have UUIDs for keys, or texts with MONITIO_TEST_USER=TextUser."""

from __future__ import annotations

import os

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES
from tests.settings import INSTALLED_APPS as USUAL_APPS

INSTALLED_APPS = [*USUAL_APPS, "tests.keyed_users"]
AUTH_USER_MODEL = "keyed_users." + os.environ.get("MONITIO_TEST_USER", "UuidUser")
if "sqlite" not in DATABASES["default"]["ENGINE"]:
    # The run that starts this one uses the usual test database.
    DATABASES["default"]["TEST"] = {"NAME": f"test_keyed_{os.getpid()}"}
