"""Tasks that differ between releases; ``TEST_RELEASE=last`` selects the previous release."""

from __future__ import annotations

import os

from celery import shared_task

from monitio_celery import notify_user

IS_LAST = os.environ.get("TEST_RELEASE") == "last"


def in_this_release() -> str:
    return "this release"


def in_the_last_release() -> str:
    return "the last one"


changed = notify_user(
    shared_task(name="project.changed")(in_the_last_release if IS_LAST else in_this_release)
)
if not IS_LAST:

    @shared_task(name="project.added")
    @notify_user
    def added() -> None: ...
