"""Push notifications in this browser: its device, the worker, and the button.

A signed cookie names the destination of this browser, also after its session has ended.
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

from monitio.channels import destinations, get_channel
from monitio.channels.webpush import WebPushChannel
from monitio.conf import DAY, settings
from monitio.constants import PUSH
from monitio.messages import ratelimit
from monitio.models import Destination
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
    before = Destination.objects.of([who.user_id], PUSH).filter(key=device_key(request))
    text = request.POST.get("subscription", "")
    if not text:
        before.delete()
        response = private_json({"ok": True})
        response.delete_cookie(_cookie_name(), **_cookie_place())
        return response
    if not ratelimit.is_allowed(f"push {who.key}", CHANGES, CHANGES_IN):
        return private_json({"ok": False, "error": "Too many attempts."}, 429)
    others = Destination.objects.of([who.user_id]).exclude(key=device_key(request))
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
    response = private_json({"ok": True})
    response.set_cookie(
        _cookie_name(),
        _signer().sign(row.key),
        max_age=COOKIE_AGE,
        secure=django_settings.SESSION_COOKIE_SECURE,
        httponly=True,
        **_cookie_place(),
    )
    return response


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
    key = device_key(request)
    rows = Destination.objects.of([who.user_id], PUSH).enabled().filter(key=key)
    context = {"key": push.public_key, "is_on": bool(key) and rows.exists(), "csp_nonce": nonce}
    return render_to_string("monitio/tags/push.html", context, request=request)


def move_device(request: HttpRequest, user: Any) -> None:
    """Make the device of this browser the user's, if it is another's."""
    key = device_key(request)
    if key:
        rows = Destination.objects.here().filter(channel=PUSH, key=key).exclude(user=user.pk)
        rows.update(user=user.pk, categories=[])


def remove_device(request: HttpRequest, user: Any) -> None:
    """Delete the device of this browser, if it is the user's."""
    key = device_key(request)
    if key:
        Destination.objects.of([user.pk], PUSH).filter(key=key).delete()


def device_key(request: HttpRequest) -> str:
    """The key of the destination that this browser was last; "" for none."""
    try:
        return _signer().unsign(request.COOKIES.get(_cookie_name(), ""))
    except signing.BadSignature:
        return ""


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
