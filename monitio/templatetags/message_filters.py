"""``{% load message_filters %}``, as in the original. ``{% load monitio %}`` has them as well."""

from __future__ import annotations

from django.template import Library

from monitio.templatetags import monitio

register = Library()
register.filter("latest", monitio.latest)
register.filter("latest_or_unread", monitio.latest_or_unread)
