"""Imported by workers only: changes monitio in their processes."""

from __future__ import annotations

import os
from typing import Any

from django.core.mail.backends.smtp import EmailBackend

from monitio.digests import sender as digests
from tests.integration.mail import SENDER, SET

digests.BATCH_SIZE = SET


class Backend(EmailBackend):
    """Sends by SMTP; each e-mail has a header with the sending process."""

    def send_messages(self, mails: Any) -> int:
        for mail in mails:
            mail.extra_headers[SENDER] = str(os.getpid())
        return super().send_messages(mails)
