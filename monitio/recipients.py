"""Recipients of messages: a user, or the session of an anonymous visitor.

A token inside the session identifies a visitor. It never is the session key: with that, people who
read the broker or the database could take the session over. User 5 of one tenant is another
recipient than user 5 of another: each belongs to a scope (scope.py).
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.db import router
from django.db.models import Model, QuerySet
from django.utils import translation
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.functional import LazyObject

from monitio import scope as scopes
from monitio.conf import settings
from monitio.exceptions import UnknownRecipient
from monitio.utils.client_address import client_address
from monitio.utils.text import identifier, one_line

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

# What the largest supported integer column holds.
LARGEST_KEY = 2**63 - 1
SESSION_KEY = "_monitio_visitor"
# As long as the columns of a message; MySQL ignores spaces and control characters.
TOKEN = re.compile("[!-~]{1,64}")
LANGUAGE = re.compile("[A-Za-z0-9@_-]{0,16}")
MARKER = "monitio_visitor"
USER, VISITOR = "user", "visitor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """A frozen value: exactly one of ``user_pk`` (as text) and ``token`` is set.

    ``scope`` is the tenant or site they belong to: the current one unless it is given.
    ``language`` is the language of what they get; it does not distinguish recipients.
    """

    user_pk: str | None = None
    token: str | None = None
    scope: str = field(default_factory=scopes.current)
    language: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if bool(self.user_pk) == bool(self.token):
            raise UnknownRecipient(
                "A Recipient is either a user or a visitor: give one of the two."
            )
        scopes.valid(self.scope)
        if self.token and not TOKEN.fullmatch(self.token):
            raise UnknownRecipient(f"{self.token!r} is not the token of a visitor.")
        if not LANGUAGE.fullmatch(self.language):
            # No reason to refuse the message: the site's language is used.
            object.__setattr__(self, "language", "")

    @classmethod
    def for_user(cls, user: Any, language: str = "") -> Recipient:
        """The recipient of a user object or a user's primary key.

        Raises ``UnknownRecipient`` for an anonymous or unsaved user, for an object that is no user
        and for a malformed key.
        """
        if isinstance(user, Model) and not isinstance(user, get_user_model()):
            raise UnknownRecipient(f"{user!r} is not a user.")
        is_object = isinstance(user, Model | LazyObject) or hasattr(user, "is_authenticated")
        pk = user.pk if is_object else user
        if pk is None or isinstance(pk, bool):
            raise UnknownRecipient(
                f"{user!r} has no account to write to. Pass a saved user, a user's primary key, or "
                "Recipient.from_request(request) for an anonymous visitor."
            )
        return cls(user_pk=str(_clean_pk(pk)), language=language)

    @classmethod
    def for_visitor(cls, token: str, language: str = "") -> Recipient:
        """The recipient of a token that ``from_request`` made."""
        return cls(token=token, language=language)

    @classmethod
    def of(cls, who: Any) -> Recipient:
        """``who`` may be a Recipient, a user or a user's primary key."""
        return who if isinstance(who, cls) else cls.for_user(who)

    @classmethod
    def existing(cls, request: HttpRequest) -> Recipient | None:
        """The recipient who makes the request; None for a stranger. Creates no token or session."""
        language = translation.get_language() or ""
        user = getattr(request, "user", None)
        # A site's middleware may set an object of another model, or keep a deleted user.
        is_user = not isinstance(user, Model) or isinstance(user, get_user_model())
        if user is not None and user.is_authenticated and user.pk is not None and is_user:
            return cls(user_pk=str(_clean_pk(user.pk)), language=language)
        token = _visitor_in(getattr(request, "session", None))
        return cls.for_visitor(token, language) if token else None

    @classmethod
    def from_request(cls, request: HttpRequest) -> Recipient:
        """The recipient who makes the request; a visitor without a token gets one in their session.

        For code that is about to write to them. Raises ``UnknownRecipient`` when the request
        carries neither user nor session, and for anonymous visitors when ``MONITIO_VISITORS`` is
        off.
        """
        known = cls.existing(request)
        if known is not None:
            return known
        if not settings.VISITORS:
            raise UnknownRecipient(
                "This request is an anonymous visitor's, and MONITIO_VISITORS is False. Check "
                "request.user.is_authenticated first, or turn visitors on."
            )
        if getattr(request, "session", None) is None:
            raise UnknownRecipient(
                "This request has no session, so an anonymous visitor cannot get messages. Add "
                "django.contrib.sessions.middleware.SessionMiddleware to MIDDLEWARE."
            )
        return cls.for_visitor(_mint(request), translation.get_language() or "")

    @classmethod
    def from_key(cls, key: str, language: str = "") -> Recipient:
        """The inverse of ``key``."""
        scope = scopes.scope_of(key)
        kind, _, value = key.removeprefix(f"{scope}/").partition(":")
        if kind == USER:
            return cls(user_pk=value, scope=scope, language=language)
        return cls(token=value, scope=scope, language=language)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Recipient:
        """The inverse of ``to_dict``. Raises ``UnknownRecipient`` for anything else."""
        try:
            user_pk, token = data.get(USER), data.get(VISITOR)
            return cls(
                user_pk=None if user_pk is None else str(user_pk),
                token=None if token is None else str(token),
                scope=str(data.get("scope") or ""),
                language=str(data.get("lang") or ""),
            )
        except AttributeError:
            raise UnknownRecipient(f"Not a recipient: {data!r}") from None

    def to_dict(self) -> dict[str, str]:
        """``{"user": "42", "lang": "pl"}`` or ``{"visitor": token, "lang": "pl"}``, for JSON.

        With ``"scope"``, where there is one.
        """
        who = {VISITOR: self.token} if self.token else {USER: self.user_pk or ""}
        more = {"scope": self.scope, "lang": self.language}
        return who | {name: value for name, value in more.items() if value}

    @property
    def key(self) -> str:
        """Text that is unique to this recipient: ``Message.recipient_key``."""
        key = f"{VISITOR}:{self.token}" if self.token else f"{USER}:{self.user_pk}"
        return scopes.key_in(self.scope, key)

    @property
    def topic(self) -> str:
        """The topic of their events. Derived here and nowhere else, never sent by a client."""
        return self.key

    @property
    def is_visitor(self) -> bool:
        return self.token is not None

    @property
    def user_id(self) -> Any:
        """The user's primary key in the type the user model gives it, None for a visitor."""
        return None if self.user_pk is None else _clean_pk(self.user_pk)

    def __repr__(self) -> str:
        # A visitor's token is secret: it stays out of logs and tracebacks.
        return f"Recipient({'visitor' if self.is_visitor else self.key!r})"


def accounts() -> QuerySet[Any]:
    """The accounts, from the primary: a replica may lack a new one."""
    model = get_user_model()
    return model._default_manager.using(router.db_for_write(model))


def name_of(account: Any) -> str:
    """What others call this account; '' for None."""
    if account is None:
        return ""
    # Not every user model has a real name.
    full_name = getattr(account, "get_full_name", str)()
    return one_line(str(full_name or account.get_username()))


def page_token(recipient: Recipient | None) -> str:
    """Names the recipient of a page, without revealing who it is.

    The same for all visitors and strangers (None) of a scope: a stranger's page may come from a
    cache, and becomes a visitor's page unchanged. The session alone decides what the page receives.
    """
    if recipient is None or recipient.is_visitor:
        return f"v{scope_mark(scopes.current() if recipient is None else recipient.scope)}."
    digest = salted_hmac("monitio.page", recipient.key, algorithm="sha256").hexdigest()[:32]
    return f"u{scope_mark(recipient.scope)}.{digest}"


def session_mark(session_key: str | None) -> str:
    """Identifies a session between processes; "" for none. The key itself would open it."""
    if not session_key:
        return ""
    return salted_hmac("monitio.session", session_key, algorithm="sha256").hexdigest()[:32]


def page_fits(token: str, recipient: Recipient | None) -> bool:
    """Whether a page with this token was made for this recipient; None is a stranger."""
    if recipient is None or recipient.is_visitor:
        return token.startswith(page_token(recipient))
    return constant_time_compare(token, page_token(recipient))


def scope_mark(scope: str) -> str:
    """Identifies a scope outside of the site; '' for none."""
    if not scope:
        return ""
    return salted_hmac("monitio.scope", scope, algorithm="sha256").hexdigest()[:8]


def marker_name() -> str:
    """The name of the cookie that shows a page's script that its browser has become a visitor's.

    The cookie holds no secret: the token stays in the session.
    """
    own = django_settings.SESSION_COOKIE_NAME
    # Sites on one host differ in the names of their session cookies.
    return MARKER if own == "sessionid" else f"{MARKER}_{own}"


def update_marker(request: HttpRequest, response: HttpResponseBase) -> None:
    """Set the cookie if the session holds a visitor's token, otherwise remove it."""
    session: Any = getattr(request, "session", None)
    # An unread session has not changed, and reading it would make the page vary by cookie. After an
    # error the session is not saved.
    if not getattr(session, "accessed", False) or response.status_code >= 500:
        return
    name = marker_name()
    is_visitor = _visitor_in(session) is not None
    if is_visitor and name not in request.COOKIES:
        response.set_cookie(
            name,
            "1",
            max_age=None if session.get_expire_at_browser_close() else settings.VISITOR_AGE,
            path=django_settings.SESSION_COOKIE_PATH,
            domain=django_settings.SESSION_COOKIE_DOMAIN,
            secure=django_settings.SESSION_COOKIE_SECURE,
            samesite=django_settings.SESSION_COOKIE_SAMESITE,
        )
    elif not is_visitor and name in request.COOKIES:
        response.delete_cookie(
            name,
            path=django_settings.SESSION_COOKIE_PATH,
            domain=django_settings.SESSION_COOKIE_DOMAIN,
            samesite=django_settings.SESSION_COOKIE_SAMESITE,
        )


def take_token(session: Any) -> str | None:
    """Remove and return the visitor's token, at log-in."""
    token = _token_in(session)
    if token:
        del session[SESSION_KEY]
    return token


def _clean_pk(pk: Any) -> Any:
    key = get_user_model()._meta.pk
    while key.remote_field is not None:
        key = key.remote_field.model._meta.pk
    try:
        clean = key.to_python(pk)
        identifier("key", str(clean))
        if isinstance(clean, int) and abs(clean) > LARGEST_KEY:
            raise ValueError
    except Exception as error:
        raise UnknownRecipient(f"{pk!r} is not the primary key of a user.") from error
    return clean


def _visitor_in(session: Any) -> str | None:
    return _token_in(session) if settings.VISITORS else None


def _token_in(session: Any) -> str | None:
    # A new, unwritten session holds no token, and reading it would cost a query.
    if session is None or (
        getattr(session, "session_key", "") is None and not getattr(session, "modified", True)
    ):
        return None
    stored = _stored(session)
    return stored["token"] if stored.get("until", 0) > time.time() else None


def _stored(session: Any) -> dict[str, Any]:
    """What ``_mint`` put into the session, expired or not."""
    stored = session.get(SESSION_KEY)
    return stored if isinstance(stored, dict) and isinstance(stored.get("token"), str) else {}


def _mint(request: HttpRequest) -> str:
    """A new token, stored in the session.

    Parallel first requests make the same one, so that the second save overwrites nothing.
    """
    session: Any = request.session
    expired = _stored(session).get("token", "")
    seed = getattr(session, "session_key", None) or _shared_secret(request)
    token = (
        salted_hmac("monitio.visitor", f"{seed}{expired}", algorithm="sha256").hexdigest()[:32]
        if seed
        else secrets.token_hex(16)
    )
    session[SESSION_KEY] = {"token": token, "until": int(time.time()) + settings.VISITOR_AGE}
    return token


def _shared_secret(request: HttpRequest) -> str:
    """The same for all requests of a browser without a session in this minute; "" if unknown.

    From its CSRF cookie, which a page with a form has set. Not the cookie alone: programs may send
    a fixed one, and it outlives the session of the browser's last visitor.
    """
    secret = request.COOKIES.get(django_settings.CSRF_COOKIE_NAME)
    if not secret:
        return ""
    # A forged header alone gains nothing without the cookie.
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").partition(",")[0]
    where = client_address(request) or forwarded or request.META.get("REMOTE_ADDR")
    return f"{secret} {where} {int(time.time()) // 60}"
