"""A page of the admin that writes to users, groups and holders of a permission."""

from __future__ import annotations

import json
import secrets
from typing import Any

from django import forms
from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.admin.helpers import AdminForm
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.admin.widgets import AutocompleteSelectMultiple, ManyToManyRawIdWidget
from django.contrib.auth import get_permission_codename, get_user_model
from django.contrib.auth.models import Group, Permission, PermissionsMixin
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from monitio.api import notify_many
from monitio.conf import DAY, settings
from monitio.constants import EMAIL
from monitio.messages.ratelimit import is_allowed
from monitio.models import Message
from monitio.recipients import accounts

FIELDS = ("level", "category", "subject", "message", "url", "url_label", "expires")
# What is no part of the message.
BUTTONS = ("csrfmiddlewaretoken", "seal", "_preview", "_send")
# Recipients that the preview names.
NAMED = 20


class ComposeForm(forms.ModelForm):  # type: ignore[type-arg]
    """A message, and whom it is for: of users, groups and permissions those the sender may view."""

    def __init__(self, request: HttpRequest, site: AdminSite, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        account: Any = get_user_model()
        self.people, in_groups = active_users(request, site), issubclass(account, PermissionsMixin)
        to: dict[str, forms.Field] = {}
        if may_view(request, account):
            to["users"] = choice(Message._meta.get_field("user"), self.people, request, site)
        if in_groups and may_view(request, Group):
            groups = Group.objects.all()
            to["groups"] = choice(account._meta.get_field("groups"), groups, request, site)
        if in_groups and may_view(request, Permission):
            permissions = Permission.objects.select_related("content_type")
            label = capfirst(Permission._meta.verbose_name)
            to["permission"] = forms.ModelChoiceField(permissions, required=False, label=label)
        if not to:
            raise PermissionDenied
        self.to, self.fields = tuple(to), {**to, **self.fields}
        if EMAIL in settings.CHANNELS:
            self.fields["email"] = forms.BooleanField(label=_("Also by e-mail"), required=False)

    def clean(self) -> dict[str, Any]:
        chosen: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors and not any(chosen[name] for name in self.to):
            raise forms.ValidationError(_("Choose who gets it."))
        if not self.errors and not self.recipients().exists():
            raise forms.ValidationError(_("There is no active user among them."))
        return chosen

    def recipients(self) -> QuerySet[Any]:
        """Each active user once, superusers among those with a permission."""
        chosen = self.cleaned_data
        wanted = Q(pk__in=[user.pk for user in chosen.get("users") or ()])
        if groups := chosen.get("groups"):
            wanted |= Q(pk__in=accounts().filter(groups__in=groups).values("pk"))
        if permission := chosen.get("permission"):
            of_groups = accounts().filter(groups__permissions=permission)
            own = accounts().filter(user_permissions=permission)
            wanted |= Q(pk__in=of_groups.values("pk")) | Q(pk__in=own.values("pk"))
            wanted |= Q(is_superuser=True)
        return self.people.filter(wanted).order_by("pk")


def may_view(request: HttpRequest, model: Any) -> bool:
    codename = get_permission_codename("view", model._meta)
    return request.user.has_perm(f"{model._meta.app_label}.{codename}")


def active_users(request: HttpRequest, site: AdminSite) -> QuerySet[Any]:
    """Those whom the sender sees in the admin: a site may show a tenant only its own."""
    account: Any = get_user_model()
    rows = accounts()
    if site.is_registered(account):
        rows = site.get_model_admin(account).get_queryset(request).using(rows.db)
    has_column = any(field.name == "is_active" for field in account._meta.concrete_fields)
    return rows.filter(is_active=True) if has_column else rows


def choice(source: Any, rows: QuerySet[Any], request: HttpRequest, site: AdminSite) -> forms.Field:
    """Several of ``rows``, to which the field ``source`` relates; by search if there is one."""
    model = source.related_model
    widget: Any = ManyToManyRawIdWidget(source.remote_field, site)
    if site.is_registered(model) and site.get_model_admin(model).get_search_fields(request):
        widget = AutocompleteSelectMultiple(source, site)
    label = capfirst(model._meta.verbose_name_plural)
    return forms.ModelMultipleChoiceField(rows, required=False, widget=widget, label=label)


def compose_page(request: HttpRequest, model_admin: ModelAdmin[Any]) -> HttpResponse:
    """A form; when it is valid a preview, which has the button that sends."""
    if not request.user.has_perm("monitio.send_message"):
        raise PermissionDenied
    site = model_admin.admin_site
    made: Any = forms.modelform_factory(
        Message,
        form=ComposeForm,
        fields=FIELDS,
        formfield_callback=lambda field, **kwargs: model_admin.formfield_for_dbfield(
            field, request, **kwargs
        ),
    )
    form = made(request, site, request.POST or None)
    context: dict[str, Any] = {}
    if request.method == "POST" and form.is_valid():
        seal = request.POST.get("seal", "")
        if "_send" in request.POST and constant_time_compare(seal, sealed(request, seal[:32])):
            send(request, form, model_admin, seal)
            return HttpResponseRedirect(request.path)
        people = form.recipients()
        context = {
            "preview": form.instance,
            "count": people.count(),
            "named": list(people[:NAMED]),
            "seal": sealed(request, secrets.token_hex(16)),
        }
    context |= {
        "title": _("Write to users"),
        "opts": Message._meta,
        "form": form,
        "adminform": AdminForm(form, [(None, {"fields": list(form.fields)})], {}),
        "media": model_admin.media + form.media,
    }
    return TemplateResponse(
        request, "monitio/admin/compose.html", {**site.each_context(request), **context}
    )


def sealed(request: HttpRequest, nonce: str) -> str:
    """``nonce``, and a proof that the sender has seen the preview of exactly this."""
    fields = sorted(item for item in request.POST.lists() if item[0] not in BUTTONS)
    text = json.dumps([nonce, str(request.user.pk), fields])
    return nonce + salted_hmac("monitio.compose", text, algorithm="sha256").hexdigest()


def send(request: HttpRequest, form: Any, model_admin: ModelAdmin[Any], seal: str) -> None:
    # A second click sends nothing.
    if not is_allowed(f"compose:{seal[:32]}", 1, DAY):
        model_admin.message_user(request, _("It was sent before."))
        return
    chosen = form.cleaned_data
    fields = {name: chosen[name] for name in FIELDS if name not in ("level", "message")}
    email = chosen.get("email", False)
    count = notify_many(
        form.recipients(), chosen["level"], chosen["message"], email=email, **fields
    )
    to = [f"{name}={chosen[name]}" for name in form.to if chosen[name]]
    LogEntry.objects.create(
        user_id=str(request.user.pk),
        content_type=ContentType.objects.get_for_model(Message),
        object_repr=(chosen["subject"] or chosen["message"])[:200],
        action_flag=ADDITION,
        change_message=f"Sent to {count} users; {'; '.join(to)}",
    )
    text = ngettext("Sent to %d user.", "Sent to %d users.", count) % count
    model_admin.message_user(request, text)
