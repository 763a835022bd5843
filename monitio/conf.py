"""Settings: flat ``MONITIO_*`` names, read on each access so that ``override_settings`` works."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings as django_settings
from django.core import checks
from django.core.signals import setting_changed
from django.utils.functional import Promise

from monitio.constants import LEVEL_NAMES

DAY = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class Rule:
    """What a setting's value has to be. ``manage.py check`` applies it."""

    expected: str
    accepts: Callable[[Any], bool]


def _number(value: Any, kind: Any = int | float) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and math.isfinite(value)


def at_least(least: float, what: str = "a number of seconds") -> Rule:
    return Rule(f"{what}, at least {least}", lambda value: _number(value) and value >= least)


def whole(least: int) -> Rule:
    return Rule(
        f"a whole number, at least {least}", lambda value: _number(value, int) and value >= least
    )


def optional(rule: Rule) -> Rule:
    return Rule(f"{rule.expected}, or None", lambda value: value is None or rule.accepts(value))


def _is_brand(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and value.keys() <= {"name", "logo", "color", "address"}
        and all(isinstance(text, str | Promise) for text in value.values())
        and bool(re.fullmatch(r"(#[0-9a-fA-F]{6})?", str(value.get("color", ""))))
    )


RETENTION_KEYS = {"days", "levels", "categories", "read"}


def _is_retention(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(
        isinstance(rule, Mapping)
        and rule.keys() <= RETENTION_KEYS
        and _number(rule.get("days"))
        and rule["days"] >= 0
        and isinstance(rule.get("read", True), bool)
        and set(rule.get("levels", ())) <= set(LEVEL_NAMES)
        and all(isinstance(name, str) for name in rule.get("categories", ()))
        and not isinstance(rule.get("categories"), str)
        for rule in value
    )


def _is_origin(value: Any) -> bool:
    origin = r"https?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?"
    return isinstance(value, str) and bool(re.fullmatch(origin, value))


def _is_host(value: Any) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*", value))


TEXT = Rule("a string", lambda value: isinstance(value, str | Promise))
FLAG = Rule("True or False", lambda value: isinstance(value, bool))
SECONDS = Rule("a number of seconds above 0", lambda value: _number(value) and value > 0)
# Has a system check of its own.
CHECKED_ELSEWHERE = Rule("anything", lambda value: True)


def _redis_url() -> str:
    """The original's ``REDIS_SSEQUEUE_CONNECTION_SETTINGS``, else Redis on this machine."""
    legacy = getattr(django_settings, "REDIS_SSEQUEUE_CONNECTION_SETTINGS", None) or {}
    location, db = str(legacy.get("location", "127.0.0.1:6379")), legacy.get("db", 0)
    if location.startswith("/"):
        location = f"unix://{location}"
    if location.startswith("unix://"):
        return f"{location}?db={db}"
    if "://" not in location:
        location = f"redis://{location}"
    # A URL that names a database keeps it.
    return f"{location.rstrip('/')}/{db}" if location.count("/") < 3 else location


class Settings:
    """Each attribute ``NAME`` reads ``settings.MONITIO_NAME``, or a default that works."""

    PREFIX = "MONITIO_"
    # Settings of other apps, which have their own checks.
    FOREIGN: tuple[str, ...] = ("MONITIO_CELERY_", "MONITIO_TEST_")

    DEFAULTS: dict[str, Any] = {
        # The dotted path of a scope backend (docs/tenants.md); None: a single tenant.
        "SCOPE": None,
        # Which transport publishes events: "polling", "redis", "postgres" or the dotted path of a
        # Transport.
        "TRANSPORT": "polling",
        # The hub that holds the streams, for example {"BACKEND": "nchan", "PUBLISH_URL": …}; None:
        # the web processes do.
        "STREAM": None,
        "CHANNELS": {
            "email": "monitio.channels.email.channel.EmailChannel",
        },
        "REDIS_URL": _redis_url,
        # First part of every Redis channel name: two sites on one Redis need two prefixes.
        "REDIS_PREFIX": "monitio",
        # A connection string of libpq; None: as the default database. Never through a pooler.
        "POSTGRES_DSN": None,
        # The channel of LISTEN and NOTIFY: two sites in one database need two. 63 bytes at most.
        "POSTGRES_CHANNEL": "monitio",
        # The theme: "admin", "bootstrap5", "foundation", "jqueryui", or the static path of a style
        # sheet; "": monitio's own.
        "THEME": "",
        # The dotted path of a function of a user that returns the address of their picture, or None
        # for initials.
        "AVATAR": None,
        # The bell in the header of Django's admin, whose messages become pop-ups.
        "ADMIN_BELL": False,
        # Leave read messages out of ``{% for message in messages %}``.
        "EXCLUDE_READ": True,
        # How many of a recipient's newest messages a page and a snapshot hold.
        "SNAPSHOT_SIZE": 100,
        # Dotted paths of functions that take a request and return its user or None; they are asked
        # before the session.
        "AUTHENTICATION": (),
        # Whether anonymous visitors get messages and a stream: False turns both off.
        "VISITORS": True,
        # Seconds that a visitor's token and messages are kept.
        "VISITOR_AGE": 14 * DAY,
        # Seconds after which a claim expires if its response has not settled it.
        "CLAIM_TIMEOUT": 60,
        "STREAM_HEARTBEAT": 15.0,
        # Seconds, ± 20 %: the longest that a stopping server waits for a stream.
        "STREAM_MAX_AGE": 300.0,
        # Seconds between two checks that the stream's session is still valid.
        "STREAM_RECHECK": 30.0,
        # Milliseconds a browser waits before it reconnects.
        "STREAM_RETRY": 3000,
        # Open streams per process and per recipient; None: see stream/capacity.py.
        "STREAMS_PER_PROCESS": None,
        "STREAMS_PER_USER": 10,
        # Open streams per address (IPv6: per /64); None: unlimited.
        "STREAMS_PER_ADDRESS": 100,
        # The client's address behind a proxy: a key of request.META, for example "HTTP_X_REAL_IP",
        # or a callable or its dotted path. None: REMOTE_ADDR, if it is public.
        "CLIENT_ADDRESS": None,
        # The polling transport's interval in seconds; None: 0.05 on SQLite, else 0.5.
        "POLL_INTERVAL": None,
        # Reconciliation interval in seconds: finds changes without an event.
        "RECONCILE_INTERVAL": 30.0,
        # Progress is written and pushed at most once per so many seconds.
        "PROGRESS_WRITE_INTERVAL": 1.0,
        "PROGRESS_PUSH_INTERVAL": 0.25,
        # The heartbeat interval of running tasks, in seconds. Celery's tasks have settings of their
        # own for this and the next two: MONITIO_CELERY_*.
        "JOB_HEARTBEAT_INTERVAL": 30,
        # Seconds without a heartbeat after which a running task is considered interrupted.
        "JOB_LOST_AFTER": 300,
        # The same for a task that waits for a worker; None: no limit.
        "JOB_WAITING_LOST_AFTER": DAY,
        # Equal failures of a task within so many seconds become one message with a count while it
        # is unread; None: one message each.
        "COLLAPSE_WITHIN": 3600,
        # The dotted path of an object with encrypt(text) and decrypt(text), for stored arguments of
        # tasks that can be tried again and users' destinations; None: they are stored as they are.
        "ENCRYPTION": None,
        # Schemes, hosts and ports, for example "https://hooks.internal:8443", that users' URLs may
        # name although they are not public.
        "OUTGOING_ORIGINS": (),
        # Web Push: the site's private key (manage.py monitio_vapid), and where push services write
        # when something is wrong, "mailto:…" or "https://…".
        "VAPID_PRIVATE_KEY": "",
        "VAPID_CONTACT": "",
        # Hosts of the push services of browsers; one that begins with a dot has subdomains.
        "PUSH_SERVICES": (
            "fcm.googleapis.com",
            ".push.services.mozilla.com",
            ".push.apple.com",
            ".notify.windows.com",
        ),
        # Addresses of Apprise that staff may choose: {"Team chat": "slack://…"}. A value may be a
        # function that returns it, so that error reports do not show it.
        "APPRISE_URLS": {},
        # Seconds that files of tasks are kept.
        "FILES_KEEP": 14 * DAY,
        # The internal location of nginx that serves STORAGES["monitio"], for example "/files/".
        # None: the site sends the files itself.
        "FILES_X_ACCEL": None,
        # Redirect to the storage's own URLs. Only for storages whose URLs are signed and expire.
        "FILES_REDIRECT": False,
        # Links in e-mails work without a log-in, for whoever has the e-mail.
        "FILES_SIGNED_LINKS": False,
        # Days prune keeps read messages; None keeps them.
        "KEEP_READ_DAYS": None,
        # Messages that prune deletes, read or not: [{"days": 90, "levels": ["debug", "info"],
        # "categories": ["exports"], "read": True}]. Only "days" is required.
        "RETENTION": (),
        # Where links in e-mails point to, for example "https://example.com".
        "BASE_URL": "",
        "EMAIL_FROM": None,
        # The site in e-mails: {"name": …, "logo": …, "color": "#2d5bd7", "address": …}.
        "BRAND": {},
        # Replies to e-mails go to the user who sent the message; the recipient sees the address.
        "EMAIL_REPLY_TO_SENDER": False,
        # Seconds that email="unless_read" and "unless_seen" wait.
        "EMAIL_DELAY": 60.0,
        # Seconds that sending one e-mail may take.
        "EMAIL_TIMEOUT": 10.0,
        # Seconds before the first retry of a delivery; doubles after each retry, up to 15 minutes.
        # A hundred retries take about a day.
        "DELIVER_BACKOFF": 30.0,
        "DELIVER_RETRIES": 100,
        # Categories of messages: {"exports": {"title": …, "essential": False, "default": None}}.
        "CATEGORIES": {},
        # How often a user may reply to one message in an hour.
        "REPLIES_PER_HOUR": 20,
        # How many messages of each category a digest shows.
        "DIGEST_SIZE": 10,
        # Seconds after which a claim on users' digests expires.
        "DIGEST_LEASE": 15 * 60.0,
    }

    RULES: dict[str, Rule] = {
        "SCOPE": optional(TEXT),
        "TRANSPORT": TEXT,
        "STREAM": CHECKED_ELSEWHERE,
        "CHANNELS": Rule(
            "a dictionary of names and dotted paths",
            lambda value: isinstance(value, Mapping) and all(map(TEXT.accepts, value.values())),
        ),
        "REDIS_URL": TEXT,
        "REDIS_PREFIX": TEXT,
        "POSTGRES_DSN": optional(TEXT),
        "POSTGRES_CHANNEL": Rule(
            "a string of 1 to 63 bytes",
            lambda value: isinstance(value, str) and 1 <= len(value.encode()) <= 63,
        ),
        "THEME": optional(TEXT),
        "AVATAR": optional(TEXT),
        "ADMIN_BELL": FLAG,
        "EXCLUDE_READ": FLAG,
        "SNAPSHOT_SIZE": whole(1),
        "AUTHENTICATION": Rule(
            'a list of dotted paths, for example ["monitio.contrib.drf.authenticate"]',
            lambda value: isinstance(value, list | tuple) and all(map(TEXT.accepts, value)),
        ),
        "VISITORS": FLAG,
        "VISITOR_AGE": SECONDS,
        "CLAIM_TIMEOUT": SECONDS,
        "STREAM_HEARTBEAT": SECONDS,
        "STREAM_MAX_AGE": SECONDS,
        "STREAM_RECHECK": SECONDS,
        "STREAM_RETRY": whole(0),
        "STREAMS_PER_PROCESS": optional(whole(0)),
        "STREAMS_PER_USER": whole(0),
        "STREAMS_PER_ADDRESS": optional(whole(0)),
        "CLIENT_ADDRESS": CHECKED_ELSEWHERE,
        "POLL_INTERVAL": optional(SECONDS),
        "RECONCILE_INTERVAL": SECONDS,
        "PROGRESS_WRITE_INTERVAL": at_least(0),
        "PROGRESS_PUSH_INTERVAL": at_least(0),
        "JOB_HEARTBEAT_INTERVAL": SECONDS,
        "JOB_LOST_AFTER": SECONDS,
        "JOB_WAITING_LOST_AFTER": optional(SECONDS),
        "COLLAPSE_WITHIN": optional(at_least(0)),
        "ENCRYPTION": optional(TEXT),
        "OUTGOING_ORIGINS": Rule(
            'a list of origins, for example ["https://hooks.internal:8443"]',
            lambda value: isinstance(value, list | tuple) and all(map(_is_origin, value)),
        ),
        "VAPID_PRIVATE_KEY": TEXT,
        "VAPID_CONTACT": TEXT,
        "PUSH_SERVICES": Rule(
            'a list of hosts, for example ["fcm.googleapis.com", ".push.apple.com"]',
            lambda value: isinstance(value, list | tuple) and all(map(_is_host, value)),
        ),
        "APPRISE_URLS": Rule(
            "a dictionary of names and URLs, or functions that return them",
            lambda value: (
                isinstance(value, Mapping)
                and all(isinstance(url, str) or callable(url) for url in value.values())
            ),
        ),
        "FILES_KEEP": SECONDS,
        "FILES_X_ACCEL": optional(
            Rule(
                'a path with a slash at both ends, for example "/files/"',
                lambda value: isinstance(value, str) and value[:1] == value[-1:] == "/",
            )
        ),
        "FILES_REDIRECT": FLAG,
        "FILES_SIGNED_LINKS": FLAG,
        "KEEP_READ_DAYS": optional(at_least(0, "a number of days")),
        "RETENTION": Rule(
            'a list of rules, for example [{"days": 90, "levels": ["info"], "read": True}]',
            _is_retention,
        ),
        "BASE_URL": TEXT,
        "EMAIL_FROM": optional(TEXT),
        "BRAND": Rule('a dictionary with name, logo, color (as "#2d5bd7") and address', _is_brand),
        "EMAIL_REPLY_TO_SENDER": FLAG,
        "EMAIL_DELAY": at_least(0),
        "EMAIL_TIMEOUT": SECONDS,
        "DELIVER_BACKOFF": SECONDS,
        "DELIVER_RETRIES": whole(0),
        "CATEGORIES": CHECKED_ELSEWHERE,
        "DIGEST_SIZE": whole(1),
        "REPLIES_PER_HOUR": whole(0),
        "DIGEST_LEASE": SECONDS,
    }

    def __getattr__(self, name: str) -> Any:
        try:
            default = self.DEFAULTS[name]
        except KeyError:
            raise AttributeError(f"monitio has no setting MONITIO_{name}") from None
        missing = object()
        value = getattr(django_settings, f"MONITIO_{name}", missing)
        if value is not missing:
            return value
        return default() if callable(default) else default

    def check(self, *, misspelt: str, wrong: str) -> list[checks.CheckMessage]:
        """System checks, with these ids: unknown names, and values that break their rule."""
        known = [f"MONITIO_{name}" for name in self.DEFAULTS]
        found: list[checks.CheckMessage] = []
        for name in dir(django_settings):
            if not name.startswith(self.PREFIX) or name.startswith(self.FOREIGN) or name in known:
                continue
            near = difflib.get_close_matches(name, known, 1)
            hint = f"Did you mean {near[0]}?" if near else "docs/settings.md lists all settings."
            found.append(checks.Warning(f"There is no setting {name}.", hint=hint, id=misspelt))
        for mistake in self.mistakes():
            hint = "Correct the value, or remove the setting to use its default."
            found.append(checks.Error(mistake, hint=hint, id=wrong))
        return found

    def mistakes(self) -> Iterator[str]:
        """A sentence for each value that breaks its rule. Shows no strings: they may be secret."""
        for name, rule in self.RULES.items():
            value = getattr(django_settings, f"MONITIO_{name}", self.DEFAULTS[name])
            if value is not self.DEFAULTS[name] and not rule.accepts(value):
                is_plain = value is None or isinstance(value, int | float)
                shown = repr(value) if is_plain else f"a {type(value).__name__}"
                yield f"MONITIO_{name} is {shown}. It has to be {rule.expected}."


settings = Settings()


def when_overridden(call: Callable[[], object], *names: str) -> None:
    """Call ``call`` when a test overrides one of these settings: what was made of it is stale."""

    def changed(*, setting: str, **kwargs: object) -> None:
        if setting in names:
            call()

    setting_changed.connect(changed, weak=False)
