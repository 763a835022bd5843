"""A site whose e-mails Celery's workers send. TEST_SITE holds further settings as JSON."""

from __future__ import annotations

import json
import os

from tests.settings import *  # noqa: F403

CELERY_IMPORTS = ["tests.integration.mail.in_workers"]
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# The default would make tests wait for a minute. Tasks that wait longer expire.
MONITIO_CELERY_DIGEST_INTERVAL = MONITIO_CELERY_SWEEP_INTERVAL = 2
# A task that waits for the mail server must not time out on a slow machine.
MONITIO_EMAIL_TIMEOUT = 300
globals().update(json.loads(os.environ.get("TEST_SITE", "{}")))
