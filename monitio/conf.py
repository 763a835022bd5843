"""Settings: flat ``MONITIO_*`` names, read on each access so that ``override_settings`` works."""

from __future__ import annotations

from typing import Any

from django.conf import settings as django_settings

DAY = 24 * 60 * 60


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
    # An address that names its own database keeps it.
    return f"{location.rstrip('/')}/{db}" if location.count("/") < 3 else location


class Settings:
    """What the site says, or a default that works.

    Each attribute ``NAME`` reads ``settings.MONITIO_NAME``.
    """

    DEFAULTS: dict[str, Any] = {
        # The dotted path of an object that knows the site's tenants (docs/tenants.md); None: there
        # is one.
        "SCOPE": None,
        # Which transport carries bells: "polling", "redis", "postgres" or the dotted path of a
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
        # A connection string of libpq; None: as the default database says. Never through a pooler.
        "POSTGRES_DSN": None,
        # The channel of LISTEN and NOTIFY: two sites in one database need two. 63 bytes at most.
        "POSTGRES_CHANNEL": "monitio",
        # The look: "admin", "bootstrap5", "foundation", "jqueryui", or the static path of a style
        # sheet; "": monitio's own.
        "THEME": "",
        # Leave read messages out of ``{% for message in messages %}``.
        "EXCLUDE_READ": True,
        # How many of a person's newest messages a page and a snapshot hold.
        "SNAPSHOT_SIZE": 100,
        # Seconds a visitor's token, and what it has received, lives.
        "VISITOR_AGE": 14 * DAY,
        # Seconds after which a claim that no response settled is given up.
        "CLAIM_TIMEOUT": 60,
        "STREAM_HEARTBEAT": 15.0,
        # Seconds, ± 20 %: bounds what a stopping server must wait for.
        "STREAM_MAX_AGE": 300.0,
        # Seconds between two looks at whether the session still is what it was.
        "STREAM_RECHECK": 30.0,
        # Milliseconds a browser waits before it comes back.
        "STREAM_RETRY": 3000,
        # Open streams per process and per recipient; None: 4 under WSGI, 1,000 under ASGI,
        # 10,000 behind monitio.asgi.
        "STREAMS_PER_PROCESS": None,
        "STREAMS_PER_USER": 10,
        # The same of one address (of IPv6: one /64); None: as many as there are.
        "STREAMS_PER_ADDRESS": 100,
        # Who says where a client comes from, behind a proxy: a key of request.META, for example
        # "HTTP_X_REAL_IP", or a callable or its dotted path. None: REMOTE_ADDR, if it is public.
        "CLIENT_ADDRESS": None,
        # Seconds between two looks of the polling transport; None: 0.05 on SQLite, else 0.5.
        "POLL_INTERVAL": None,
        # Seconds between two comparisons that find what no bell announced.
        "RECONCILE_INTERVAL": 30.0,
        # Seconds: progress is written and pushed no more often than this.
        "PROGRESS_WRITE_INTERVAL": 1.0,
        "PROGRESS_PUSH_INTERVAL": 0.25,
        # Seconds in which failures of a task that read the same become one message with a count,
        # as long as it is unread; None: each has its own.
        "COLLAPSE_WITHIN": 3600,
        # Days prune keeps read messages; None keeps them.
        "KEEP_READ_DAYS": None,
        # Where links in e-mails point to, for example "https://example.com".
        "BASE_URL": "",
        "EMAIL_FROM": None,
        # Answers go to the user who sent the message; it shows their address to its reader.
        "EMAIL_REPLY_TO_SENDER": False,
        # Seconds that email="unless_read" and "unless_seen" wait.
        "EMAIL_DELAY": 60.0,
        # Seconds that sending one e-mail may take.
        "EMAIL_TIMEOUT": 10.0,
        # Seconds before the first further try of a delivery; each later one waits twice as long, up
        # to 15 minutes. A hundred of them are about a day.
        "DELIVER_BACKOFF": 30.0,
        "DELIVER_RETRIES": 100,
        # Categories of messages: {"exports": {"title": …, "essential": False, "default": None}}.
        "CATEGORIES": {},
        # How many messages of each category a digest shows.
        "DIGEST_SIZE": 10,
        # Seconds after which whoever claimed users' digests counts as dead.
        "DIGEST_LEASE": 15 * 60.0,
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


settings = Settings()
