"""What the views share: identification, protection, and the target of a redirect.

A page sends its page token, the parameter ``page``, which names its recipient. When the session or
a middleware has changed ``request.user`` since, the request is refused.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache, wraps
from typing import Any, TypeVar
from urllib.parse import urlsplit

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, connections, transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware
from django.shortcuts import render, resolve_url
from django.utils.decorators import decorator_from_middleware
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from monitio import api
from monitio.conf import when_overridden
from monitio.models import Message
from monitio.recipients import Recipient, page_fits
from monitio.stream.identity import answer_who_asks
from monitio.utils import authentication
from monitio.utils.middleware import find_middleware

logger = logging.getLogger("monitio")

View = TypeVar("View", bound=Callable[..., HttpResponseBase])


def public(view: View) -> View:
    """Visitors have an inbox too, so LoginRequiredMiddleware must not send them to the log-in."""
    # With ATOMIC_REQUESTS the transaction would read the session before it writes, which fails in
    # SQLite's default mode while another process writes. Each change has its own transaction.
    for alias in connections:
        view = transaction.non_atomic_requests(using=alias)(view)
    return never_cache(login_not_required(view))  # type: ignore[return-value,unused-ignore]


def personal(view: View) -> View:
    """A view for whoever sends the request, by MONITIO_AUTHENTICATION or by the session.

    401 for a token that is not valid, 503 while the database cannot check it. POST needs the CSRF
    token, unless a token identifies the user.
    """

    @wraps(view)
    def identified(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            authentication.identify(request)
        except PermissionDenied as error:
            answer_who_asks(request, None)
            answer = private_json({"ok": False, "error": str(error)}, 401)
            answer["WWW-Authenticate"] = "Bearer"
            return answer
        except DatabaseError as error:
            logger.warning("A token cannot be checked, the database does not answer: %s", error)
            return HttpResponse(status=503, headers={"Retry-After": "3"})
        if authentication.is_by_token(request):
            return view(request, *args, **kwargs)
        return _csrf_protected(view)(request, *args, **kwargs)  # type: ignore[no-any-return]

    # The middleware would ask for the CSRF token before the user is known.
    return public(csrf_exempt(identified))  # type: ignore[return-value,unused-ignore]


@cache
def _csrf_protected(view: Any) -> Any:
    """Django's ``csrf_protect``, by the site's own middleware if that is a subclass."""
    middleware = find_middleware(CsrfViewMiddleware) or CsrfViewMiddleware
    return decorator_from_middleware(middleware)(view)


# An instance keeps the trusted origins.
when_overridden(_csrf_protected.cache_clear, "MIDDLEWARE", "CSRF_TRUSTED_ORIGINS")


def for_its_page(view: View) -> View:
    """Answer 409, and do nothing, when the page was made for another recipient.

    Requests without a page token (plain links, a site's own templates, API clients) are served.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        token = request.POST.get("page") or request.GET.get("page")
        if not token or page_fits(token, Recipient.existing(request)):
            return view(request, *args, **kwargs)
        if wants_json(request):
            return private_json(
                {"ok": False, "error": "The page is another user's: reload it."}, 409
            )
        context = {"next": next_page(request, way_back(request))}
        return render(request, "monitio/message/conflict.html", context, status=409)

    return guarded  # type: ignore[return-value]


def own_message(request: HttpRequest, message_id: int) -> tuple[Recipient, Message]:
    """The recipient of the request, and their message. Raises ``Http404`` for others' messages."""
    recipient = Recipient.existing(request)
    if recipient is None:
        raise Http404("No such message")
    try:
        return recipient, api.get_message(recipient, message_id)
    except Message.DoesNotExist:
        raise Http404("No such message") from None


def way_back(request: HttpRequest) -> str:
    """The referring page, unless it is this one or that of a deleted message."""
    page = request.META.get("HTTP_REFERER", "")
    leads_nowhere = {request.path}
    if request.resolver_match and request.resolver_match.url_name == "message_delete":
        leads_nowhere.add(resolve_url("message_detail", **request.resolver_match.kwargs))
    return "" if urlsplit(page).path in leads_nowhere else page


def next_page(request: HttpRequest, url: str) -> str:
    """The redirect target: ``url`` if it is on this site, else the inbox."""
    on_this_site = url_has_allowed_host_and_scheme(
        url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return url if on_this_site else resolve_url("message_list")


def wants_json(request: HttpRequest) -> bool:
    return request.headers.get("Accept", "").startswith("application/json")


def private_json(data: dict[str, Any], status: int = 200) -> JsonResponse:
    return JsonResponse(data, status=status, headers={"Cache-Control": "no-store"})
