from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.models import AbstractUser, User
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy


class UploadForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("A CSV file with the columns “name” and “email”"),
        widget=forms.FileInput(attrs={"accept": ".csv,.tsv,.txt,text/csv"}),
        error_messages={
            "required": gettext_lazy("Choose a file first."),
            "empty": gettext_lazy("The file is empty."),
        },
    )

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if (file.size or 0) > settings.MAX_UPLOAD_SIZE:
            raise forms.ValidationError(
                _("The file is too large: at most %(size)s can be imported.")
                % {"size": filesizeformat(settings.MAX_UPLOAD_SIZE)}
            )
        return file


class UserChoiceField(forms.ModelChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, user: AbstractUser) -> str:
        return user.get_short_name()


class SendForm(forms.Form):
    to = UserChoiceField(
        User.objects.filter(is_superuser=False).order_by("username"),
        label=gettext_lazy("To"),
        to_field_name="username",
        empty_label=None,
    )
    text = forms.CharField(
        label=gettext_lazy("Message"),
        max_length=500,
        widget=forms.TextInput(
            attrs={"placeholder": gettext_lazy("Message"), "autocomplete": "off"}
        ),
        error_messages={"required": gettext_lazy("Write something first.")},
    )
