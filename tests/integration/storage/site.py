"""A site that uses messages in every way that Django documents."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.messages.views import SuccessMessageMixin
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template import engines
from django.template.response import TemplateResponse
from django.urls import include, path
from django.views.decorators.cache import never_cache
from django.views.generic import FormView

PAGE = """{% if messages %}<ul>{% for message in messages %}
<li{% if message.tags %} class="{{ message.tags }}"{% endif %}>{{ message }}</li>
{% endfor %}</ul>{% endif %}"""


@never_cache
def show(request: HttpRequest) -> HttpResponse:
    return HttpResponse(engines["django"].from_string(PAGE).render({}, request))


def show_later(request: HttpRequest) -> TemplateResponse:
    """A response that is rendered after the view has returned."""
    return TemplateResponse(request, engines["django"].from_string(PAGE))


def add(request: HttpRequest, level: str) -> HttpResponseBase:
    """Add each of ``messages`` by the shortcut named ``level`` and redirect to ``next``."""
    fail_silently = bool(request.POST.get("silently"))
    for text in request.POST.getlist("messages"):
        getattr(messages, level)(request, text, fail_silently=fail_silently)
    return redirect(request.POST.get("next", "/show/"))


def add_and_show(request: HttpRequest) -> HttpResponseBase:
    messages.info(request, "added and shown at once")
    return show(request)


def levels(request: HttpRequest) -> HttpResponseBase:
    template = "{{ DEFAULT_MESSAGE_LEVELS.items|dictsort:1 }}"
    return TemplateResponse(request, engines["django"].from_string(template))


class ContactForm(forms.Form):
    name = forms.CharField()


class Contact(SuccessMessageMixin, FormView):
    form_class = ContactForm
    success_url = "/show/"
    success_message = "%(name)s was created"

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        return HttpResponse("invalid")


def silent(request: HttpRequest) -> HttpResponse:
    """A view that does not use messages."""
    return HttpResponse("nothing")


urlpatterns = [
    path("show/", show),
    path("show_later/", show_later),
    path("add/<str:level>/", add),
    path("add_and_show/", add_and_show),
    path("levels/", levels),
    path("contact/", Contact.as_view()),
    path("silent/", silent),
    path("messages/", include("monitio.urls")),
]
