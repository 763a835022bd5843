"""Receivers of Django's signals: log-in, log-out, changed and deleted users; requests."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.core.signals import request_started
from django.db.models.signals import post_delete, post_save
from django.http import HttpRequest
from django.template import engines
from django.template.backends.django import DjangoTemplates

from monitio import dispatch
from monitio.conf import settings
from monitio.messages import tolerant, visitors
from monitio.models import Job
from monitio.recipients import Recipient, take_token
from monitio.signals import job_ended
from monitio.views import push

logger = logging.getLogger("monitio")

# Holds admin/base_site.html, which extends the site's own or Django's.
ADMIN_TEMPLATES = str(Path(__file__).parent / "templates" / "monitio" / "with_bell")


def connect() -> None:
    user_logged_in.connect(end_replaced_session, dispatch_uid="monitio.session_replaced")
    if apps.is_installed("anymail"):
        from monitio.channels.email import bounces

        bounces.connect()
    user_logged_in.connect(keep_visitors_messages, dispatch_uid="monitio.logged_in")
    user_logged_in.connect(move_device, dispatch_uid="monitio.device_moved")
    user_logged_out.connect(end_streams, dispatch_uid="monitio.logged_out")
    user_logged_out.connect(remove_device, dispatch_uid="monitio.device_removed")
    request_started.connect(offer_admin_bell, dispatch_uid="monitio.admin_bell")
    job_ended.connect(log_end, dispatch_uid="monitio.job_ended")
    user_model = get_user_model()
    post_save.connect(account_changed, sender=user_model, dispatch_uid="monitio.user_saved")
    post_delete.connect(account_deleted, sender=user_model, dispatch_uid="monitio.user_deleted")


def end_replaced_session(*, request: HttpRequest | None = None, **kwargs: object) -> None:
    """At log-in in place of another user, that user's streams end."""
    session: Any = getattr(request, "session", None)
    # Django has flushed the session of the other user: the new one has no key until it is saved.
    if request is None or session is None or session.session_key:
        return
    old_key = request.COOKIES.get(django_settings.SESSION_COOKIE_NAME)
    if old_key:
        dispatch.announce_session_end(old_key)


def keep_visitors_messages(
    *, request: HttpRequest | None = None, user: Any, **kwargs: object
) -> None:
    """At log-in a visitor's messages become the user's."""
    token = take_token(getattr(request, "session", None))
    if token:
        # A missing table must not prevent a log-in.
        tolerant.ask(
            lambda: visitors.merge(token, user),
            None,
            "A visitor's messages are not handed over.",
        )
        dispatch.announce_recheck(Recipient.for_visitor(token))


def end_streams(*, user: Any = None, **kwargs: object) -> None:
    """At log-out the streams of that session end at once; streams of other sessions go on."""
    if user is not None:
        dispatch.announce_recheck(Recipient.for_user(user))


def move_device(*, request: HttpRequest | None = None, user: Any, **kwargs: object) -> None:
    """At log-in this browser's device becomes the user's: not to push them what is another's."""
    if request is not None:
        tolerant.ask(lambda: push.move_device(request, user), None, "A device is not moved.")


def remove_device(
    *, request: HttpRequest | None = None, user: Any = None, **kwargs: object
) -> None:
    """At log-out nothing is pushed to this browser any more."""
    if request is not None and user is not None:
        tolerant.ask(lambda: push.remove_device(request, user), None, "A device is not removed.")


def account_changed(*, instance: Any, created: bool, raw: bool, **kwargs: object) -> None:
    """A new password or a deactivation ends the user's streams at once."""
    # Django keeps the plain password in this attribute until the user is saved.
    has_new_password = getattr(instance, "_password", None) is not None
    if not (created or raw) and (has_new_password or not getattr(instance, "is_active", True)):
        dispatch.announce_recheck(Recipient.for_user(instance))


def account_deleted(*, instance: Any, **kwargs: object) -> None:
    dispatch.announce_recheck(Recipient.for_user(instance))


def offer_admin_bell(**kwargs: object) -> None:
    """With ``MONITIO_ADMIN_BELL``, put monitio's template of the admin's header before all others.

    With each request: engines load the tags of all apps, for which it is too early in ``ready()``.
    """
    if not settings.ADMIN_BELL:
        return
    for backend in engines.all():
        if isinstance(backend, DjangoTemplates) and ADMIN_TEMPLATES not in backend.engine.dirs:
            backend.engine.dirs.insert(0, ADMIN_TEMPLATES)


def log_end(*, job: Job, **kwargs: object) -> None:
    """A line for the log, with fields of its own and without texts of users."""
    extra = {
        "job_id": job.pk,
        "job_task_id": job.task_id,
        "job_name": job.name,
        "job_queue": job.queue,
        "job_state": job.state,
        "job_attempt": job.attempt,
        "monitio_scope": job.scope,
    }
    logger.info("Job %s (%s): %s.", job.task_id, job.name, job.state, extra=extra)
