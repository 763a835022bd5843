from __future__ import annotations

from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from monitio.models import VisitorLogin
from monitio.recipients import Recipient


class ImportQuerySet(models.QuerySet["Import"]):
    def visible_to(self, request: HttpRequest) -> ImportQuerySet:
        """The imports of the request's user, those from before the login included."""
        owner = Recipient.existing(request)
        if owner is None:
            return self.none()
        keys = [owner.key]
        if not owner.is_visitor:
            tokens = VisitorLogin.objects.filter(user=owner.user_id).values_list("token", flat=True)
            keys += [Recipient.for_visitor(token).key for token in tokens]
        return self.filter(owner_key__in=keys)


class Import(models.Model):
    """An uploaded file, and the result of its import."""

    owner_key = models.CharField(max_length=150, db_index=True, editable=False)
    file_name = models.CharField(_("file"), max_length=200)
    file = models.FileField(upload_to="imports/")
    # In which the reasons are written: a worker does not know who reads them.
    language = models.CharField(max_length=16, blank=True, editable=False)
    created = models.DateTimeField(_("started"), auto_now_add=True)
    finished = models.DateTimeField(null=True, editable=False)
    imported = models.PositiveIntegerField(_("imported"), default=0)
    rejected = models.PositiveIntegerField(_("rejected"), default=0)
    problem = models.TextField(blank=True)

    objects = ImportQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.file_name


class Contact(models.Model):
    source = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="contacts")
    name = models.CharField(_("name"), max_length=200)
    email = models.EmailField(_("e-mail"))
    city = models.CharField(_("city"), max_length=100, blank=True)
    phone = models.CharField(_("phone"), max_length=40, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "email"], name="one_contact_per_address")
        ]

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"
