"""What the releases of the site differ in; ``TEST_RELEASE=last`` is a worker of the last one."""

from __future__ import annotations

import os

from celery import shared_task

from monitio_celery import notify_user

IS_LAST = os.environ.get("TEST_RELEASE") == "last"


def in_this() -> str:
    return "this release"


def in_the_last() -> str:
    return "the last one"


changed = notify_user(shared_task(name="project.changed")(in_the_last if IS_LAST else in_this))
if not IS_LAST:

    @shared_task(name="project.added")
    @notify_user
    def added() -> None: ...
