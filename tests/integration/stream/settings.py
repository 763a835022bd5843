"""The tests' settings, with those that a test passes in the environment."""

from __future__ import annotations

import json
import os

from tests.settings import *  # noqa: F403

ROOT_URLCONF = "tests.integration.stream.site"
WSGI_APPLICATION = "tests.integration.stream.wsgi.application"
globals().update(json.loads(os.environ.get("MONITIO_TEST_SETTINGS", "{}")))
