"""The demo's pages. Every button is a form that works without JavaScript, too."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import PurePath
from typing import Any

from celery import chord
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import get_user_model, login, logout
from django.core.files import File
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST
from kombu.exceptions import OperationalError

import monitio
from examples.demo.contacts import mails, sample, tasks
from examples.demo.contacts.forms import SendForm, UploadForm
from examples.demo.contacts.models import Import
from monitio_celery import notify_group

# Who may be logged in as with one click.
DEMO_USERS = ("ann", "bob")
VISIBLE_IMPORTS = 6

View = Callable[..., HttpResponseBase]


def starts_task(view: View) -> View:
    """A POST-only view that publishes a task: a broker that is down is said, not raised."""

    @require_POST
    @wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except OperationalError:
            return _answer(request, _("The task could not be started. Please try again later."))

    return wrapper


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    context = {
        "demo_users": DEMO_USERS,
        "upload": UploadForm(),
        "send": SendForm(initial={"to": _somebody_else(request)}),
        "imports": Import.objects.visible_to(request)[:VISIBLE_IMPORTS],
    }
    return render(request, "contacts/home.html", context)


@require_GET
def imports(request: HttpRequest) -> HttpResponse:
    """The table of imports alone, for a page that is open already."""
    context = {"imports": Import.objects.visible_to(request)[:VISIBLE_IMPORTS]}
    return render(request, "contacts/imports.html", context)


@starts_task
def import_file(request: HttpRequest) -> HttpResponseBase:
    form = UploadForm(request.POST, request.FILES)
    if not form.is_valid():
        return _refuse(request, form)
    upload = form.cleaned_data["file"]
    _start_import(request, upload, PurePath(upload.name).name)
    return _answer(request)


@starts_task
def import_sample(request: HttpRequest) -> HttpResponseBase:
    with sample.PATH.open("rb") as file:
        _start_import(request, File(file, name=sample.PATH.name), sample.PATH.name)
    return _answer(request)


def _start_import(request: HttpRequest, file: Any, name: str) -> None:
    entry = Import.objects.create(
        owner_key=monitio.Recipient.from_request(request).key,
        file_name=name[:200],
        file=File(file, name=name[-80:]),
        language=get_language() or "",
    )
    # After the row is committed: the worker may be faster than this request.
    tasks.import_contacts.delay_on_commit(  # type: ignore[attr-defined] # celery-types lacks it
        entry.pk, entry.file_name
    )


@starts_task
def start(request: HttpRequest, name: str) -> HttpResponseBase:
    """Start one of the tasks behind the buttons."""
    if name == "chord":
        canvas = chord([tasks.check_branch.s(n) for n in range(8)], tasks.add_up.s())
        notify_group(
            _("Branch check"),
            canvas,
            category="system",
            success=_("{result} records have been corrected."),
            cancel=True,
            retryable=True,
        ).delay()
        return _answer(request)
    known = {
        "fail": tasks.fail,
        "flaky": tasks.flaky,
        "minute": tasks.one_minute,
        "report": tasks.mail_report,
    }
    if name not in known:
        raise Http404
    known[name].delay()
    return _answer(request)


@require_POST
def send(request: HttpRequest) -> HttpResponse:
    """Write to another user."""
    form = SendForm(request.POST)
    if not form.is_valid():
        return _refuse(request, form)
    sender = request.user if request.user.is_authenticated else None
    name = sender.get_short_name() if sender else _("a visitor")
    monitio.create_message(
        form.cleaned_data["to"],
        monitio.INFO,
        form.cleaned_data["text"],
        from_user=sender,
        subject=_("A message from %(name)s") % {"name": name},
    )
    return _answer(request, done=_("Sent to %s.") % form.cleaned_data["to"].get_short_name())


@require_GET
def sample_file(request: HttpRequest) -> FileResponse:
    return FileResponse(sample.PATH.open("rb"), as_attachment=True, filename=sample.PATH.name)


@require_GET
def mail_list(request: HttpRequest) -> HttpResponse:
    return render(request, "contacts/mails.html", {"mails": mails.newest()})


@require_POST
def log_in(request: HttpRequest, name: str) -> HttpResponse:
    """Log in with one click: a demo has no secrets."""
    if not settings.DEBUG or name not in DEMO_USERS:
        raise Http404
    login(request, get_user_model().objects.get(username=name))
    return redirect("home")


@require_POST
def log_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect("home")


def _refuse(request: HttpRequest, form: UploadForm | SendForm) -> HttpResponse:
    problems = [str(error) for errors in form.errors.values() for error in errors]
    return _answer(request, " ".join(problems))


def _answer(request: HttpRequest, problem: str = "", done: str = "") -> HttpResponse:
    """Back to the page, which shows a problem; or JSON for the script of an open page."""
    if request.headers.get("Accept") == "application/json":
        return JsonResponse({"problem": problem, "done": done}, status=400 if problem else 200)
    if problem:
        messages.error(request, problem)
    if done:
        messages.success(request, done)
    return redirect("home")


def _somebody_else(request: HttpRequest) -> str:
    return "bob" if request.user.get_username() == "ann" else "ann"
