"""Every text of the browser part, in the language of the request."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import pgettext


def strings() -> dict[str, str]:
    """Key to text; ``{names}`` in braces are filled in by the browser.

    No text depends on a number's grammar: languages have more plurals than a template can hold.
    """
    return {
        "region": _("Notifications ({hotkey})"),
        "close": _("Close: {title}"),
        "close_all": _("Close all"),
        "more": _("{n} more"),
        "more_said": _("{n} more notifications"),
        "open": _("Open"),
        "failed": _("That didn’t work. Try again."),
        "stopped": _("You’ve been signed out"),
        "stopped_body": _("This page no longer receives updates."),
        "reload": _("Reload page"),
        "progress": _("Progress of {title}"),
        "done": _("{n} done"),
        "eta": _("about {time} left"),
        "rate": _("{n}/s"),
        "cancel": _("Cancel"),
        "download": _("Download {name} ({size})"),
        "gone": _("{name} is no longer available."),
        "bell": _("Notifications"),
        "unread_count": _("{n} unread"),
        "all": pgettext("notifications", "All"),
        "unread": _("Unread"),
        "mark_all": _("Mark all as read"),
        "mark_read": _("Mark as read"),
        "delete": _("Delete"),
        "deleted": _("Deleted"),
        "undo": _("Undo"),
        "reply": _("Reply"),
        "answer": _("Your reply"),
        "send": _("Send"),
        "sent": _("Sent"),
        "empty": _("No notifications yet"),
        "offline": _("Live updates are off. Reconnecting…"),
        "older": _("Show older"),
        "see_all": _("See all"),
        "keep_open": _("Keep pop-ups open until I close them"),
        "notify": _("Show desktop notifications when this tab is in the background"),
        "level_debug": _("Debug"),
        "level_info": _("Info"),
        "level_success": _("Success"),
        "level_warning": _("Warning"),
        "level_error": _("Error"),
        "state_queued": _("Waiting"),
        "state_started": _("Started"),
        "state_retrying": _("Trying again"),
        "state_succeeded": _("Done"),
        "state_failed": _("Failed"),
        "state_revoked": _("Cancelled"),
        "state_lost": _("Interrupted"),
    }
