"""A plain admin: look, search, write to somebody, send a failed delivery again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from monitio import api, dispatch
from monitio.models import Delivery, Job, Message

if TYPE_CHECKING:
    # Django's own classes take no parameters at run time.
    DeliveryRows = admin.TabularInline[Delivery, Message]
    MessageOptions = admin.ModelAdmin[Message]
    JobOptions = admin.ModelAdmin[Job]
    DeliveryOptions = admin.ModelAdmin[Delivery]
else:
    DeliveryRows = admin.TabularInline
    MessageOptions = JobOptions = DeliveryOptions = admin.ModelAdmin


class DeliveryInline(DeliveryRows):
    model = Delivery
    extra = 0
    can_delete = False
    readonly_fields = ("channel", "state", "attempts", "error", "created", "sent_at")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Message)
class MessageAdmin(MessageOptions):
    list_display = ("__str__", "subject", "user", "level", "created", "read", "is_persistent")
    list_filter = ("level", "read", "category", "created")
    list_select_related = ("user",)
    search_fields = ("subject", "message")
    date_hierarchy = "created"
    raw_id_fields = ("user", "from_user")
    readonly_fields = ("created", "modified", "read", "seen", "job")
    inlines = (DeliveryInline,)
    show_full_result_count = False
    fields = (
        ("user", "from_user"),
        "subject",
        "message",
        ("level", "category", "extra_tags"),
        ("url", "url_label"),
        ("expires", "close_timeout"),
        ("created", "modified"),
        ("read", "seen"),
        "job",
    )

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        form = super().get_form(request, *args, **kwargs)
        if "user" in form.base_fields and kwargs.get("change") is False:
            form.base_fields["user"].required = True
        return form

    def save_model(self, request: HttpRequest, obj: Message, form: Any, change: bool) -> None:
        """A new message rings like any other; a changed one moves its version."""
        if not change:
            api.store(obj)
            return
        obj.version += 1
        super().save_model(request, obj, form, change)
        dispatch.announce([obj])

    def delete_model(self, request: HttpRequest, obj: Message) -> None:
        api.delete(obj.recipient, [obj.pk])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Message]) -> None:
        for message in queryset:
            self.delete_model(request, message)


@admin.register(Job)
class JobAdmin(JobOptions):
    list_display = ("__str__", "state", "attempt", "percentage", "created", "alive_at")
    list_filter = ("state", "queue", "name")
    search_fields = ("task_id", "name")
    date_hierarchy = "created"
    show_full_result_count = False

    @admin.display(description=_("progress"))
    def percentage(self, job: Job) -> str:
        return "" if job.percent is None else f"{job.percent:.0f} %"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Job | None = None) -> bool:
        # What became of a task is not for editing.
        return False


@admin.register(Delivery)
class DeliveryAdmin(DeliveryOptions):
    list_display = ("message", "channel", "state", "attempts", "error", "created", "sent_at")
    list_filter = ("channel", "state")
    list_select_related = ("message",)
    actions = ("send_again",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Delivery | None = None) -> bool:
        return False

    @admin.action(description=_("Send again"), permissions=["delete"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        failed = queryset.filter(state=Delivery.State.FAILED)
        pending = list(failed)
        failed.update(state=Delivery.State.PENDING, error="")
        dispatch.deliver(pending)
        text = ngettext(
            "%d delivery is on its way.", "%d deliveries are on their way.", len(pending)
        )
        self.message_user(request, text % len(pending))
