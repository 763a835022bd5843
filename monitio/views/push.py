"""Push notifications in this browser: its device, the worker, and the button.

A signed cookie names the destination of this browser, also after its session has ended. Tenants
that share it with their sessions have a destination each.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings as django_settings
from django.contrib.auth.decorators import login_not_required
from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_POST, require_safe

from monitio import scope
from monitio.channels import destinations, get_channel
from monitio.channels.webpush import WebPushChannel
from monitio.conf import DAY, settings
from monitio.constants import PUSH
from monitio.messages import ratelimit
from monitio.models import Destination
from monitio.models.destinations import DestinationQuerySet
from monitio.recipients import Recipient
from monitio.utils.text import json_safe
from monitio.views.base import for_its_page, personal, private_json

WORKER = Path(__file__).parents[1] / "static" / "monitio" / "push-worker.js"
COOKIE = "monitio_device"
# The longest that browsers keep a cookie.
COOKIE_AGE = 400 * DAY
# Changes of a user's devices.
CHANGES, CHANGES_IN = 30, 60 * 60
LONGEST_SUBSCRIPTION = 4096
# What is found in the User-Agent header: the first one that is there.
BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "SamsungBrowser/": "Samsung Internet",
    "Firefox/": "Firefox",
    "FxiOS/": "Firefox",
    "Chrome/": "Chrome",
    "CriOS/": "Chrome",
    "Safari/": "Safari",
}
SYSTEMS = {
    "Android": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Windows": "Windows",
    "Mac OS": "macOS",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}


def channel() -> WebPushChannel | None:
    """The channel of the site; None without one."""
    found = get_channel(PUSH) if PUSH in settings.CHANNELS else None
    return found if isinstance(found, WebPushChannel) else None


@sensitive_post_parameters("subscription")
@personal
@require_POST
@for_its_page
@sensitive_variables()
def message_push(request: HttpRequest) -> HttpResponseBase:
    """Add this browser to the user's devices, or, without ``subscription``, remove it."""
    who = Recipient.existing(request)
    if channel() is None:
        raise Http404("There is no channel of Web Push.")
    if who is None or who.is_visitor:
        return private_json({"ok": False, "error": "Sign in first."}, 403)
    before = of_browser(request).here().filter(user=who.user_id)
    text = request.POST.get("subscription", "")
    if not text:
        before.delete()
        return _remember(request, private_json({"ok": True}))
    if not ratelimit.is_allowed(f"push {who.key}", CHANGES, CHANGES_IN):
        return private_json({"ok": False, "error": "Too many attempts."}, 429)
    others = Destination.objects.of([who.user_id]).exclude(pk__in=before.values("pk"))
    if others.count() >= destinations.MOST:
        return private_json({"ok": False, "error": "Too many devices and services."}, 403)
    try:
        if len(text) > LONGEST_SUBSCRIPTION:
            raise ValueError("The subscription is too long.")
        label = device_name(request.headers.get("User-Agent", ""))
        # Browsers may add to it; not every database stores any JSON.
        address = json_safe(json.loads(text))
        row = destinations.add(who.user_id, PUSH, address, label=label)
    except (ValueError, RecursionError) as error:
        return private_json({"ok": False, "error": str(error)}, 400)
    # The browser has subscribed again, or below another path of the site.
    before.exclude(pk=row.pk).delete()
    return _remember(request, private_json({"ok": True}), row.key)


@login_not_required
@require_safe
def message_push_worker(request: HttpRequest) -> HttpResponse:
    """The service worker, from the site's own origin; its scope is the path of this view."""
    headers = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
    text = WORKER.read_bytes()
    return HttpResponse(text, content_type="text/javascript; charset=utf-8", headers=headers)


def button_html(request: HttpRequest, nonce: str) -> SafeString | str:
    """The button “Notify me on this device”; "" for visitors, and without the channel."""
    who, push = Recipient.existing(request), channel()
    if who is None or who.is_visitor or push is None:
        return ""
    rows = of_browser(request).here().enabled().filter(user=who.user_id)
    context = {"key": push.public_key, "is_on": rows.exists(), "csp_nonce": nonce}
    return render_to_string("monitio/tags/push.html", context, request=request)


def move_device(request: HttpRequest, user: Any) -> None:
    """Make the devices of this browser the user's, if they are another's."""
    of_browser(request).exclude(user=user.pk).update(user=user.pk, categories=[])


def remove_device(request: HttpRequest, user: Any) -> None:
    """Delete the devices of this browser that are the user's."""
    of_browser(request).filter(user=user.pk).delete()


def of_browser(request: HttpRequest) -> DestinationQuerySet:
    """What this browser was last, in every scope: tenants may share its session."""
    try:
        keys = _signer().unsign(request.COOKIES.get(_cookie_name(), "")).split(".")
    except signing.BadSignature:
        return Destination.objects.none()
    return Destination.objects.filter(channel=PUSH, key__in=keys)


def _remember(request: HttpRequest, response: HttpResponse, *new: str) -> HttpResponse:
    """Set the cookie: what this browser is in other scopes, and ``new`` in this one."""
    others = of_browser(request).exclude(scope=scope.current()).values_list("key", flat=True)
    keys = [*others[: destinations.MOST], *new]
    if not keys:
        response.delete_cookie(_cookie_name(), **_cookie_place())
        return response
    response.set_cookie(
        _cookie_name(),
        _signer().sign(".".join(keys)),
        max_age=COOKIE_AGE,
        secure=django_settings.SESSION_COOKIE_SECURE,
        httponly=True,
        **_cookie_place(),
    )
    return response


def device_name(user_agent: str) -> str:
    """``Firefox on Linux``; "" for what is not known."""
    found = [
        next((name for mark, name in marks.items() if mark in user_agent), "")
        for marks in (BROWSERS, SYSTEMS)
    ]
    if not all(found):
        return "".join(found)
    return _("%(browser)s on %(system)s") % {"browser": found[0], "system": found[1]}


def _signer() -> signing.Signer:
    return signing.Signer(salt="monitio.device")


def _cookie_name() -> str:
    # As the marker of visitors: sites on one host differ in the names of their session cookies.
    own = django_settings.SESSION_COOKIE_NAME
    name = COOKIE if own == "sessionid" else f"{COOKIE}_{own}"
    # With this prefix no other host of the domain can set it, and make the device of a stranger
    # that of whoever logs in here.
    place = _cookie_place()
    is_of_host = place["path"] == "/" and not place["domain"]
    return f"__Host-{name}" if django_settings.SESSION_COOKIE_SECURE and is_of_host else name


def _cookie_place() -> dict[str, Any]:
    return {
        "path": django_settings.SESSION_COOKIE_PATH,
        "domain": django_settings.SESSION_COOKIE_DOMAIN,
        "samesite": django_settings.SESSION_COOKIE_SAMESITE,
    }
