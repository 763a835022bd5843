"""The inbox. Users see and change their own messages; those of others do not exist for them (404).

State changes are POST. A GET on them shows a confirmation form: plain links work, and other sites
cannot change anything by a link or an image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import (
    require_GET,
    require_http_methods,
    require_POST,
    require_safe,
)

from monitio import api
from monitio.conf import settings
from monitio.exceptions import NotAllowed, RetryFailed, TooManyReplies
from monitio.messages import inbox as messages_inbox
from monitio.models import BlockedSender, Message, reading
from monitio.preferences import last_language
from monitio.recipients import Recipient, page_fits
from monitio.serializers import payload, snapshot, unread_payload
from monitio.stream import view as stream_view
from monitio.utils.authentication import is_by_token
from monitio.utils.text import one_line
from monitio.views import listing, widgets
from monitio.views.base import (
    for_its_page,
    next_page,
    own_message,
    personal,
    private_json,
    wants_json,
    way_back,
)
from monitio.views.forms import ReplyForm, SearchForm

# The most ids in one POST; the browser sends a few, a forged request could send any number.
MANY = 500
NOTHING = messages_inbox.Counts(total=0, unread=0, running=0, attention=0, categories={})


@personal
@require_safe
def message_list(request: HttpRequest) -> HttpResponse:
    """A page of the inbox. ``?before=ID`` is the next page, or the next older part of a search.

    ``?unread=1``, ``?running=1``, ``?attention=1`` (unread errors and warnings), ``?text=``,
    ``?level=`` (a name), ``?category=``, ``?other=1`` (without a category) and ``?week=1`` (the
    last seven days) filter it.
    """
    recipient = Recipient.existing(request)
    if recipient is not None:
        last_language.note(recipient)
    counts = messages_inbox.counts(recipient) if recipient else NOTHING
    form = SearchForm(request.GET, used=counts.categories)
    wanted, size = form.as_filter(), settings.SNAPSHOT_SIZE
    before, floor = _whole_number(request, "before"), 0
    if recipient and wanted not in messages_inbox.INDEXED:
        floor = messages_inbox.floor_of(recipient, messages_inbox.SEARCHED, before)
    rows = _page(recipient, before, size + 1, wanted, floor)
    page = rows[:size]
    is_all, most = wanted == messages_inbox.ALL, messages_inbox.COUNTED
    found, more = (counts.total, counts.capped) if is_all else (len(page), floor > 0)
    if recipient and len(rows) > size and not is_all:
        found = messages_inbox.count_messages(recipient, wanted, floor, most)
        more = more or found == most
    context = {
        "messages_page": page,
        "days": listing.by_day(page),
        "older": page[-1].pk if len(rows) > size else floor or None,
        "found": listing.at_least(found, more),
        "unread": counts.unread,
        "unread_only": wanted.unread,
        "form": form,
        "searched": bool(form.chosen),
        "views": listing.views(counts, form.chosen),
        "categories": listing.category_links(counts, form.chosen),
        "kinds": listing.kinds(counts.categories),
        "more_filters": listing.level_links(form.chosen),
        "chips": listing.chips(form.chosen),
        "has_preferences": recipient is not None and not recipient.is_visitor,
    }
    return render(request, "monitio/message/list.html", context)


@personal
@require_safe
def message_detail(request: HttpRequest, message_id: int) -> HttpResponse:
    """One message."""
    recipient, message = own_message(request, message_id)
    has_sender = message.from_user_id is not None and not recipient.is_visitor
    blocks = BlockedSender.objects.between(recipient.user_id, message.from_user_id)
    is_blocked = has_sender and blocks.exists()
    context = {"message": message, "has_sender": has_sender, "is_blocked": is_blocked}
    return render(request, "monitio/message/detail.html", context)


@personal
@require_http_methods(["GET", "POST"])
@for_its_page
def message_mark_read(request: HttpRequest, message_id: int) -> HttpResponse:
    """Mark one message read."""
    recipient, message = own_message(request, message_id)
    if request.method == "GET":
        return _ask(request, _("Mark as read"), _("Mark “%s” as read?") % _name(message))
    api.mark_read(recipient, [message_id])
    return _done(request, recipient)


@personal
@require_http_methods(["GET", "POST"])
@for_its_page
def message_mark_unread(request: HttpRequest, message_id: int) -> HttpResponse:
    """Mark one message unread again."""
    recipient, message = own_message(request, message_id)
    if request.method == "GET":
        return _ask(request, _("Mark as unread"), _("Mark “%s” as unread?") % _name(message))
    api.mark_unread(recipient, [message_id])
    return _done(request, recipient)


@personal
@require_POST
@for_its_page
def message_selected(request: HttpRequest) -> HttpResponse:
    """Do something with the messages ``ids`` (form field, repeated).

    ``do`` is ``read``, ``unread`` or ``delete``, which asks for confirmation first (``sure``).
    """
    recipient = Recipient.existing(request)
    try:
        pks = [int(pk) for pk in request.POST.getlist("ids")[:MANY]]
    except ValueError:
        raise Http404("ids must be whole numbers") from None
    acts = {"read": api.mark_read, "unread": api.mark_unread, "delete": api.delete}
    act = acts.get(request.POST.get("do", ""))
    if recipient is None or act is None or not pks:
        return _done(request, recipient)
    if act is api.delete and "sure" not in request.POST:
        fields = [("do", "delete"), ("sure", "1"), *(("ids", pk) for pk in pks)]
        return _ask(request, _("Delete"), _delete_question(len(pks)), fields=fields, danger=True)
    act(recipient, pks)
    return _done(request, recipient)


def _until(request: HttpRequest) -> int | None:
    """A page that waits for its user's undo sends the newest id it had shown."""
    try:
        return int(request.POST["until"]) if "until" in request.POST else None
    except ValueError:
        raise Http404("until must be a whole number") from None


def _delete_question(count: int) -> str:
    text = ngettext(
        "Delete %(count)d notification? This can’t be undone.",
        "Delete %(count)d notifications? This can’t be undone.",
        count,
    )
    return text % {"count": count}


@personal
@require_http_methods(["GET", "POST"])
@for_its_page
def message_mark_all_read(request: HttpRequest) -> HttpResponse:
    """Mark all of the recipient's messages read, or those up to the id ``until``."""
    if request.method == "GET":
        return _ask(request, _("Mark all as read"), _("Mark all notifications as read?"))
    recipient = Recipient.existing(request)
    if recipient:
        api.mark_all_read(recipient, _until(request))
    return _done(request, recipient)


@personal
@require_POST
@for_its_page
def message_mark_seen(request: HttpRequest) -> HttpResponse:
    """Note that the pop-ups of ``ids`` (form field, repeated) were shown or closed."""
    recipient = Recipient.existing(request)
    try:
        pks = [int(pk) for pk in request.POST.getlist("ids")[:MANY]]
    except ValueError:
        return JsonResponse({"error": "ids must be whole numbers"}, status=400)
    if recipient and pks:
        api.mark_seen(recipient, pks)
    return _done(request, recipient)


@personal
@require_http_methods(["GET", "POST"])
@for_its_page
def message_delete(request: HttpRequest, message_id: int) -> HttpResponse:
    """Delete one message."""
    recipient, message = own_message(request, message_id)
    if request.method == "GET":
        question = _("Delete “%s”?") % _name(message)
        return _ask(request, _("Delete"), question, danger=True)
    api.delete(recipient, [message_id])
    return _done(request, recipient)


@personal
@require_http_methods(["GET", "POST"])
@for_its_page
def message_delete_all(request: HttpRequest) -> HttpResponse:
    """Delete all of the recipient's messages, or those up to the id ``until``."""
    recipient = Recipient.existing(request)
    if request.method == "GET":
        count = messages_inbox.count_messages(recipient, messages_inbox.ALL) if recipient else 0
        return _ask(request, _("Delete all"), _delete_question(count), danger=True)
    if recipient:
        api.delete_all(recipient, _until(request))
    return _done(request, recipient)


@personal
@require_http_methods(["GET", "POST"])
@for_its_page
def message_reply(request: HttpRequest, message_id: int) -> HttpResponse:
    """Reply to a message: from its recipient to its sender alone."""
    recipient, message = own_message(request, message_id)
    if message.from_user is None or recipient.is_visitor:
        raise Http404(str(NotAllowed()))
    form, status = ReplyForm(request.POST or None, label_suffix=""), 200
    if request.method == "POST" and form.is_valid():
        try:
            api.reply(recipient, message_id, form.cleaned_data["message"])
            return _done(request, recipient)
        except TooManyReplies:
            form.add_error("message", _("Too many attempts. Try again later."))
            status = 429
    if request.method == "POST" and wants_json(request):
        answer = {"ok": False, "errors": form.errors}
        return JsonResponse(answer, status=400 if status == 200 else status)
    context = {"message": message, "form": form}
    return render(request, "monitio/message/reply.html", context, status=status)


@personal
@require_http_methods(["GET", "POST"])
@for_its_page
def message_block(request: HttpRequest, message_id: int) -> HttpResponse:
    """Take no more replies from the sender of a message."""
    question = _("Block %(name)s? You won’t receive replies from this person.")
    return _for_sender(request, message_id, api.block_sender, _("Block sender"), question)


@personal
@require_http_methods(["GET", "POST"])
@for_its_page
def message_unblock(request: HttpRequest, message_id: int) -> HttpResponse:
    """Take replies from the sender of a message again."""
    question = _("Unblock %(name)s?")
    return _for_sender(request, message_id, api.unblock_sender, _("Unblock sender"), question)


def _for_sender(
    request: HttpRequest,
    message_id: int,
    act: Callable[[Recipient, Any], None],
    title: str,
    question: str,
) -> HttpResponse:
    recipient, message = own_message(request, message_id)
    if message.from_user is None or recipient.is_visitor:
        raise Http404("It has no sender")
    if request.method == "GET":
        return _ask(request, title, question % {"name": message.sender})
    act(recipient, message.from_user)
    return _done(request, recipient)


@personal
@require_http_methods(["GET", "POST"])
@for_its_page
def message_cancel(request: HttpRequest, message_id: int) -> HttpResponse:
    """Cancel the job of a message. Only for its recipients, and only if the author allows it."""
    recipient, message = own_message(request, message_id)
    if message.job is None or not message.job.cancellable:
        raise Http404("Its author does not offer to cancel it")
    if request.method == "GET":
        question = _("Cancel “%s”?") % _name(message)
        return _ask(request, _("Cancel the task"), question, way_out=_("Keep running"))
    api.cancel_job(recipient, message_id)
    return _done(request, recipient)


@personal
@require_http_methods(["GET", "POST"])
@for_its_page
def message_retry(request: HttpRequest, message_id: int) -> HttpResponse:
    """Start the job of a message again, for its recipients, if the author allows it."""
    recipient, message = own_message(request, message_id)
    if message.job is None or not message.job.retryable:
        raise Http404("Its author does not offer to try it again")
    if request.method == "GET":
        return _ask(request, _("Try again"), _("Try “%s” again?") % _name(message))
    try:
        api.retry_job(recipient, message_id)
    except RetryFailed:
        error = _("The task could not be started. Try again later.")
        if wants_json(request):
            return private_json({"ok": False, "error": error}, 503)
        return _ask(request, _("Try again"), error, status=503)
    return _done(request, recipient)


@personal
@require_safe
def message_json(request: HttpRequest) -> HttpResponse:
    """The snapshot, or with ``?before=ID`` the next older messages.

    ``?bootstrap`` adds what a page needs that Django has not rendered; its value may be the hash
    of the texts that the page has.
    """
    recipient = Recipient.existing(request)
    token = request.GET.get("page")
    if token and not (recipient and page_fits(token, recipient)):
        # The page was made for another recipient: as for the stream, 204 makes it reload.
        return HttpResponse(status=204)
    before = _whole_number(request, "before")
    if before is not None:
        rows = _page(recipient, before, settings.SNAPSHOT_SIZE + 1, messages_inbox.ALL)
        page = rows[: settings.SNAPSHOT_SIZE]
        return private_json(
            {"messages": [payload(row) for row in page], "more": len(rows) > len(page)}
        )
    if recipient is not None:
        last_language.note(recipient)
    answer = snapshot(recipient) if recipient else {"messages": [], **unread_payload(0), "floor": 0}
    if "bootstrap" in request.GET:
        answer |= widgets.bootstrap(request, recipient, request.GET["bootstrap"])
    # Making a CSRF token sets a cookie, for which a stranger and a client with a token have no use.
    if recipient is not None and not is_by_token(request):
        answer["csrf"] = get_token(request)
    return private_json(answer)


@personal
@require_GET
def message_stream(request: HttpRequest) -> HttpResponseBase:
    """The live stream of Server-Sent Events."""
    return stream_view.respond(request)


def _page(
    recipient: Recipient | None,
    before: int | None,
    limit: int,
    wanted: messages_inbox.Filter,
    floor: int = 0,
) -> list[Message]:
    if recipient is None:
        return []
    return messages_inbox.find_messages(recipient, wanted, before=before, limit=limit, floor=floor)


def _whole_number(request: HttpRequest, name: str) -> int | None:
    text = request.GET.get(name, "")
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise Http404(f"{name} must be a whole number") from None


def _name(message: Message) -> str:
    return one_line(message.subject or message.text[:80])


def _ask(
    request: HttpRequest,
    title: str,
    question: str,
    way_out: str = "",
    fields: Sequence[tuple[str, Any]] = (),
    status: int = 200,
    danger: bool = False,
) -> HttpResponse:
    """A form that sends the same request by POST, with further ``fields``.

    ``danger``: there is no way back.
    """
    context = {
        "fields": fields,
        "title": title,
        "question": question,
        "action_label": title,
        "way_out": way_out or _("Cancel"),
        "danger": danger,
        "next": next_page(request, way_back(request)),
    }
    return render(request, "monitio/message/confirm.html", context, status=status)


def _done(request: HttpRequest, recipient: Recipient | None) -> HttpResponse:
    if wants_json(request):
        unread = reading.count_unread(recipient) if recipient else 0
        return private_json({"ok": True, **unread_payload(unread)})
    return HttpResponseRedirect(next_page(request, request.POST.get("next", "")))
