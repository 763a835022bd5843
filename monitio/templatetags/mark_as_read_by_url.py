"""``{% load mark_as_read_by_url %}``, as in the original. ``{% load monitio %}`` has it as well."""

from __future__ import annotations

from django.template import Library

from monitio.templatetags import monitio

register = Library()
register.simple_tag(monitio.mark_as_read_by_url, takes_context=True)
