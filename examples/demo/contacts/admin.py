from __future__ import annotations

from django.contrib import admin

from examples.demo.contacts.models import Contact, Import


@admin.register(Import)
class ImportAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["file_name", "created", "imported", "rejected"]


@admin.register(Contact)
class ContactAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["name", "email", "city", "phone"]
    search_fields = ["name", "email"]
    show_full_result_count = False
