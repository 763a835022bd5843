"""A site whose e-mails are sent by Celery's workers. TEST_SITE (JSON) has its own settings."""

from __future__ import annotations

import json
import os

from tests.settings import *  # noqa: F403

CELERY_IMPORTS = ["tests.integration.mail.in_workers"]
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# So that tests need not wait for a minute. What waits for longer than that has expired.
MONITIO_CELERY_DIGEST_INTERVAL = MONITIO_CELERY_SWEEP_INTERVAL = 2
# A task that waits for the mail server has not finished, however slow the machine is.
MONITIO_EMAIL_TIMEOUT = 300
globals().update(json.loads(os.environ.get("TEST_SITE", "{}")))
