"""A plain admin: look, search, write to a user, send a failed delivery again."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.actions import delete_selected
from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.urls import path
from django.utils import timezone
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from monitio import dispatch, preferences
from monitio.admin.board import board_page
from monitio.admin.compose import compose_page
from monitio.admin.tables import OfThisScope, RecentValues
from monitio.constants import EMAIL
from monitio.digests import sender as digests
from monitio.messages import create
from monitio.messages.prune import delete_batch
from monitio.messages.resend import resend
from monitio.models import (
    BlockedSender,
    CategoryChoice,
    Delivery,
    Destination,
    Digest,
    Job,
    JobFile,
    JobRun,
    Message,
    Preferences,
)
from monitio.preferences.choices import FIELDS
from monitio.recipients import Recipient
from monitio.utils import formats

if TYPE_CHECKING:
    # Django's own classes take no parameters at run time.
    DeliveryRows = admin.TabularInline[Delivery, Message]
    MessageOptions = admin.ModelAdmin[Message]
    JobOptions = admin.ModelAdmin[Job]
    DeliveryOptions = admin.ModelAdmin[Delivery]
    JobRows = admin.TabularInline[Any, Job]
    ChoiceRows = admin.TabularInline[CategoryChoice, Preferences]
    PreferencesOptions = admin.ModelAdmin[Preferences]
    DigestOptions = admin.ModelAdmin[Digest]
    DestinationOptions = admin.ModelAdmin[Destination]
    BlockedSenderOptions = admin.ModelAdmin[BlockedSender]
else:
    DeliveryRows = JobRows = ChoiceRows = admin.TabularInline
    MessageOptions = JobOptions = DeliveryOptions = admin.ModelAdmin
    PreferencesOptions = DigestOptions = BlockedSenderOptions = admin.ModelAdmin
    DestinationOptions = admin.ModelAdmin


# Messages that the confirmation of a deletion names.
LISTED_BEFORE_DELETION = 100


def excerpt(message: Message) -> str:
    """The beginning of a message, for a list."""
    return Truncator(message.subject or message.text).chars(80) or str(message.pk)


class DeliveryInline(DeliveryRows):
    model = Delivery
    extra = 0
    can_delete = False
    # An escalation reads from top to bottom.
    ordering = ("due_at", "pk")
    readonly_fields = (
        "channel", "target", "due_at", "unless", "state", "error", "attempts", "sent_at"
    )  # fmt: skip
    fields = readonly_fields

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Message)
class MessageAdmin(OfThisScope, MessageOptions):
    list_display = ("excerpt", "user", "level", "created", "read", "is_persistent")
    list_filter = ("level", "read", ("category", RecentValues), "created")
    list_select_related = ("user",)
    search_fields = ("subject", "message")
    raw_id_fields = ("user", "from_user")
    readonly_fields = ("created", "modified", "read", "seen", "job")
    inlines = (DeliveryInline,)
    actions = ("delete_selected", "resend")
    change_list_template = "monitio/admin/message_list.html"
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

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        # HTML that is safe on the site's pages need not be safe in the admin: without `safe`, the
        # admin shows its source.
        return super().get_queryset(request).defer("safe")

    def get_urls(self) -> list[Any]:
        page = self.admin_site.admin_view(partial(compose_page, model_admin=self))
        return [path("send/", page, name="monitio_message_send"), *super().get_urls()]

    def has_send_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("monitio.send_message")

    @admin.action(description=_("Resend"), permissions=["send"])
    def resend(self, request: HttpRequest, queryset: QuerySet[Message]) -> None:
        count = resend(Message.objects.filter(pk__in=list(queryset.values_list("pk", flat=True))))
        text = ngettext("%d message was resent.", "%d messages were resent.", count)
        self.message_user(request, text % count)

    @admin.display(description=_("message"))
    def excerpt(self, message: Message) -> str:
        return excerpt(message)

    def get_readonly_fields(self, request: HttpRequest, obj: Message | None = None) -> Any:
        # The recipient may have read it already.
        return self.readonly_fields if obj is None else ("user", *self.readonly_fields)

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        form = super().get_form(request, *args, **kwargs)
        if "user" in form.base_fields:
            form.base_fields["user"].required = True
        return form

    def save_model(self, request: HttpRequest, obj: Message, form: Any, change: bool) -> None:
        """A new message is published like any other; of a changed one only changes are saved."""
        if not change:
            create.save_message(obj)
        elif form.changed_data:
            obj.version, obj.modified = F("version") + 1, timezone.now()
            obj.save(update_fields=[*form.changed_data, "version", "modified"])
            obj.refresh_from_db()
            dispatch.announce([obj])

    def delete_model(self, request: HttpRequest, obj: Message) -> None:
        recipient, pk = obj.recipient, obj.pk
        # Pending e-mails are deleted with it: the confirmation page lists them.
        obj.delete()
        dispatch.announce_gone(recipient, [pk])

    @admin.action(description=_("Delete selected %(verbose_name_plural)s"), permissions=["delete"])
    def delete_selected(self, request: HttpRequest, queryset: QuerySet[Message]) -> Any:
        """Django's, which reads of many messages the keys alone."""
        if queryset.count() > LISTED_BEFORE_DELETION:
            queryset = queryset.order_by().select_related(None).only("pk")
        return delete_selected(self, request, queryset)

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Message]) -> Any:
        """Of many messages one entry: Django's would keep the text of each."""
        count = len(queryset)
        if count <= LISTED_BEFORE_DELETION:
            return super().log_deletions(request, queryset)
        pks = sorted(message.pk for message in queryset)
        return LogEntry.objects.create(
            user_id=str(request.user.pk),
            content_type=ContentType.objects.get_for_model(Message),
            object_repr=f"{count} {Message._meta.verbose_name_plural}",
            action_flag=DELETION,
            change_message=f"The first is {pks[0]}, the last {pks[-1]}.",
        )

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Of many messages the confirmation page shows the number: Django's lists each delivery."""
        count = len(objs)
        if count <= LISTED_BEFORE_DELETION:
            return super().get_deleted_objects(objs, request)
        lacking = {
            str(model._meta.verbose_name)
            for model in (Message, Delivery)
            if not request.user.has_perm(f"monitio.delete_{model._meta.model_name}")
        }
        name = str(Message._meta.verbose_name_plural)
        return [f"{count} {name}"], {name: count}, lacking, []

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Message]) -> None:
        pks = [message.pk for message in queryset]
        keys: set[str] = set()
        for start in range(0, len(pks), create.BATCH):
            rows = Message.objects.filter(pk__in=pks[start : start + create.BATCH])
            keys.update(rows.values_list("recipient_key", flat=True))
            delete_batch(rows)
        # Once each, however many batches a recipient is in.
        dispatch.announce_news(map(Recipient.from_key, sorted(keys)))


class ReadOnlyRows(JobRows):
    """Rows of a job, for those who may see them."""

    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class RunInline(ReadOnlyRows):
    model = JobRun
    fields = ("number", "task_id", "state", "error", "finished_at")
    ordering = ("number",)


class FileInline(ReadOnlyRows):
    model = JobFile
    fields = ("name", "size", "content_type", "created", "expires")


class JobMessageInline(ReadOnlyRows):
    model = Message
    fields = ("subject", "user", "level", "read", "created")


@admin.register(Job)
class JobAdmin(OfThisScope, JobOptions):
    list_display = ("__str__", "state", "attempt", "percentage", "created", "alive_at")
    list_filter = (
        "state",
        ("integration", RecentValues),
        ("queue", RecentValues),
        ("name", RecentValues),
    )
    search_fields = ("task_id", "name")
    # Holds visitors' tokens: a token is all that access to their messages needs.
    exclude = ("recipients",)
    inlines = (RunInline, FileInline, JobMessageInline)
    change_list_template = "monitio/admin/job_list.html"
    user_path = "messages__user"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Job], search_term: str
    ) -> tuple[QuerySet[Job], bool]:
        """The id of a task finds its job, however old, by an index."""
        found = queryset.filter(task_id=search_term)
        if search_term and "\0" not in search_term and found.exists():
            return found, False
        return super().get_search_results(request, queryset, search_term)

    def get_urls(self) -> list[Any]:
        page = self.admin_site.admin_view(partial(board_page, site=self.admin_site))
        return [path("board/", page, name="monitio_job_board"), *super().get_urls()]

    @admin.display(description=_("progress"))
    def percentage(self, job: Job) -> str:
        return "" if job.percent is None else formats.percentage(job.percent)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Job | None = None) -> bool:
        # The task queue writes it.
        return False


@admin.register(Delivery)
class DeliveryAdmin(OfThisScope, DeliveryOptions):
    list_display = (
        "excerpt", "channel", "state", "attempts", "error", "created", "due_at", "sent_at"
    )  # fmt: skip
    fields = (
        "message", "channel", "target", "state", "due_at", "unless", "attempts", "error",
        "created", "sent_at",
    )  # fmt: skip
    list_filter = (("channel", RecentValues), "state")
    user_path = "message__user"
    actions = ("send_again",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        return super().get_queryset(request).select_related("message").defer("message__safe")

    @admin.display(description=_("message"))
    def excerpt(self, delivery: Delivery) -> str:
        return excerpt(delivery.message)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Delivery | None = None) -> bool:
        return False

    @admin.action(description=_("Send again"), permissions=["delete"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        failed = list(queryset.filter(state=Delivery.State.FAILED))
        pks = [delivery.pk for delivery in failed]
        now = timezone.now()
        Delivery.objects.filter(pk__in=pks, state=Delivery.State.FAILED).update(
            state=Delivery.State.PENDING, error="", attempts=0, due_at=now
        )
        dispatch.deliver(Delivery.objects.filter(pk__in=pks))
        text = ngettext(
            "%d delivery is on its way.", "%d deliveries are on their way.", len(failed)
        )
        self.message_user(request, text % len(failed))


@admin.register(Destination)
class DestinationAdmin(OfThisScope, DestinationOptions):
    list_display = ("__str__", "user", "channel", "failures", "disabled_at", "reason", "created")
    list_filter = (("channel", RecentValues), ("disabled_at", admin.EmptyFieldListFilter))
    list_select_related = ("user",)
    # The address may be all that is needed to write to the user.
    fields = (
        "user", "channel", "label", "categories", "failures", "disabled_at", "reason", "created"
    )  # fmt: skip

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Destination | None = None) -> bool:
        return False


class ChoiceInline(ChoiceRows):
    model = CategoryChoice
    fields = ("category", "channel", "mode")
    extra = 0


@admin.register(Preferences)
class PreferencesAdmin(OfThisScope, PreferencesOptions):
    list_display = ("user", "frequency", "time_zone", "next_digest_at")
    list_filter = ("frequency",)
    list_select_related = ("user",)
    raw_id_fields = ("user",)
    readonly_fields = ("next_digest_at",)
    inlines = (ChoiceInline,)
    fields = (
        "user",
        "frequency",
        ("weekday", "hour"),
        "time_zone",
        ("quiet_from", "quiet_to"),
        "language",
        "next_digest_at",
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Preferences | None = None) -> Any:
        return self.readonly_fields if obj is None else ("user", *self.readonly_fields)

    def save_model(self, request: HttpRequest, obj: Preferences, form: Any, change: bool) -> None:
        """``preferences.change`` also plans the next digest."""
        wanted = {name: getattr(obj, name) for name in FIELDS}
        obj.pk = preferences.change(obj.user_id, **wanted).pk

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        kept = formset.save(commit=False)
        channels: dict[str, dict[str, str | None]] = {}
        for choice in formset.deleted_objects:
            channels.setdefault(choice.channel, {})[choice.category] = None
        for choice in kept:
            channels.setdefault(choice.channel, {})[choice.category] = choice.mode
        emails = channels.pop(EMAIL, {})
        preferences.change(form.instance.user_id, categories=emails, channels=channels)


@admin.register(BlockedSender)
class BlockedSenderAdmin(OfThisScope, BlockedSenderOptions):
    list_display = ("user", "sender", "created")
    list_select_related = ("user", "sender")
    raw_id_fields = ("user", "sender")


@admin.register(Digest)
class DigestAdmin(OfThisScope, DigestOptions):
    list_display = fields = (
        "user", "period", "state", "attempts", "error", "created", "sent_at"
    )  # fmt: skip
    list_filter = ("state",)
    list_select_related = ("user",)
    actions = ("send_again",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Digest | None = None) -> bool:
        return False

    @admin.action(description=_("Send again"), permissions=["delete"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Digest]) -> None:
        count = digests.send_again(queryset)
        text = ngettext(
            "%d digest will be sent with the next run.",
            "%d digests will be sent with the next run.",
            count,
        )
        self.message_user(request, text % count)
