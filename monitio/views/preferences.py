"""The page of a user's preferences, and unsubscribing without a log-in."""

from __future__ import annotations

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render, resolve_url
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from monitio import preferences
from monitio.channels import destinations, get_channel
from monitio.conf import settings
from monitio.exceptions import BadToken, UnknownRecipient
from monitio.messages import actions, ratelimit
from monitio.models.categories import category
from monitio.preferences import unsubscribe_links
from monitio.recipients import Recipient
from monitio.utils.client_address import client_address
from monitio.views.base import for_its_page, personal, public
from monitio.views.forms import PreferencesForm

PLAIN = "text/plain; charset=utf-8"
# POSTs per link: a mail program sends one or two, a user who changes their mind a few.
CLICKS, CLICKS_IN = 30, 60 * 60
# Tests per user that are sent to their destinations.
TESTS, TESTS_IN = 10, 60 * 60
NOTES = {
    "1": gettext_lazy("Saved."),
    "test": gettext_lazy("A test is on its way."),
    "quiet": gettext_lazy("A test will be sent when your quiet hours end."),
    "many": gettext_lazy("You have too many devices and services. Remove one first."),
    "often": gettext_lazy("Too many attempts. Try again later."),
}
# Invalid links per address. A valid link is never refused because of invalid ones.
GUESSES, GUESSES_IN = 30, 10 * 60


# The address of a destination may be all that is needed to write to the user.
@sensitive_post_parameters()
@personal
@require_http_methods(["GET", "POST"])
@for_its_page
def message_preferences(request: HttpRequest) -> HttpResponseBase:
    """The preferences and destinations of a signed-in user."""
    who = Recipient.existing(request)
    if who is None or who.is_visitor:
        return redirect_to_login(request.get_full_path())
    if request.method == "POST" and "destination" in request.POST:
        return _back_to_page(_act_on_destination(who, request))
    added = request.POST.get("add", "")
    adding = {}
    for name in settings.CHANNELS:
        data = request.POST if name == added else None
        if (adding_form := get_channel(name).form(request.user, data)) is not None:
            adding[name] = adding_form
    rows = destinations.of_user(who.user_id)
    if added in adding and adding[added].is_valid():
        if len(rows) >= destinations.MOST:
            return _back_to_page("many")
        destinations.add(who.user_id, added, **adding[added].cleaned_data)
        return _back_to_page("1")
    form = PreferencesForm(
        None if added else request.POST or None,
        row=preferences.for_user(who.user_id),
        categories=preferences.categories_of(who.user_id),
    )
    if form.is_valid():
        language = translation.get_language() or ""
        preferences.change(who.user_id, language=language, **form.changes())
        return _back_to_page("1")
    note = NOTES.get(request.GET.get("saved", ""), "") if request.method == "GET" else ""
    context = {
        "form": form,
        "note": note,
        "saved": bool(note),
        "destinations": rows,
        "adding": adding,
    }
    return render(request, "monitio/preferences.html", context)


def _back_to_page(note: str) -> HttpResponse:
    """The page after a change; ``note`` is one of ``NOTES``."""
    return HttpResponseRedirect(f"{resolve_url('message_preferences')}?saved={note}")


def _act_on_destination(who: Recipient, request: HttpRequest) -> str:
    """Do what a button beside a destination says; the key of the note about it."""
    number, act = request.POST["destination"], request.POST.get("act", "")
    # Others' destinations, and those that another tab has removed, are left alone.
    pk = int(number) if number.isdecimal() and len(number) < 19 else 0
    if act == "test":
        if not ratelimit.is_allowed(f"test {who.key}", TESTS, TESTS_IN):
            return "often"
        return actions.send_test(who, pk)
    if act == "remove":
        destinations.remove(who.user_id, pk)
    elif act in ("on", "off"):
        destinations.switch(who.user_id, pk, on=act == "on")
    return "1"


@csrf_exempt
@public
@require_http_methods(["GET", "HEAD", "POST"])
def message_unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Unsubscribe by a signed link: by POST (RFC 8058); a GET asks for confirmation."""
    try:
        departure = unsubscribe_links.read(token)
        if departure.category is not None and category(departure.category).essential:
            return _refuse(request, 403, _("You can’t unsubscribe from essential e-mails."))
        if request.method != "POST":
            return _show(request, departure, "ask")
        if not ratelimit.is_allowed(f"unsubscribe {token}", CLICKS, CLICKS_IN):
            return _refuse(request, 429, _too_often())
        if "undo" in request.POST:
            return _undo(request, departure)
        way_back = preferences.unsubscribe(departure)
    except (BadToken, UnknownRecipient):
        # A private address may be a proxy's, but on an intranet each client has one.
        address = client_address(request) or request.META.get("REMOTE_ADDR", "")
        if not ratelimit.is_allowed(f"guess {address}", GUESSES, GUESSES_IN):
            return _refuse(request, 429, _too_often())
        return _refuse(request, 400, _("This link is invalid or has expired."))
    if request.POST.get("List-Unsubscribe") == "One-Click":
        return HttpResponse(_("You’ve been unsubscribed."), content_type=PLAIN)
    return _show(request, departure, "done", undo=way_back)


def _undo(request: HttpRequest, departure: unsubscribe_links.UnsubscribeToken) -> HttpResponse:
    way_back = unsubscribe_links.read(request.POST["undo"], unsubscribe_links.RESUBSCRIBE)
    if (way_back.user_pk, way_back.category) != (departure.user_pk, departure.category):
        raise BadToken
    preferences.resubscribe(way_back)
    return _show(request, departure, "undone")


def _show(
    request: HttpRequest,
    departure: unsubscribe_links.UnsubscribeToken,
    step: str,
    *,
    undo: str = "",
) -> HttpResponse:
    name = departure.category
    context = {
        "step": step,
        "undo": undo,
        # None: all e-mails but essential ones. Without the user's name: e-mails are forwarded.
        "title": None if name is None else category(name).title,
    }
    return _leave_no_trace(render(request, "monitio/unsubscribe.html", context))


def _refuse(request: HttpRequest, status: int, reason: str) -> HttpResponse:
    context = {"step": "refused", "reason": reason}
    return _leave_no_trace(render(request, "monitio/unsubscribe.html", context, status=status))


def _too_often() -> str:
    return _("Too many attempts. Try again later.")


def _leave_no_trace(response: HttpResponse) -> HttpResponse:
    # The URL holds the token: other sites must not get it.
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
