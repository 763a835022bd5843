"""``path("messages/", include("monitio.urls"))``."""

from __future__ import annotations

from django.urls import path

from monitio.views import files as file_views
from monitio.views import inbox as views
from monitio.views import preferences as preference_views
from monitio.views import push as push_views
from monitio.views import renamed as renamed_views

urlpatterns = [
    # First, as Django tries them in this order: every open page asks again and again.
    path("stream/", views.message_stream, name="message_stream"),
    path("", views.message_list, name="message_list"),
    path("<int:message_id>/", views.message_detail, name="message_detail"),
    path("mark_read/<int:message_id>/", views.message_mark_read, name="message_mark_read"),
    path("mark_read/all/", views.message_mark_all_read, name="message_mark_all_read"),
    path("mark_unread/<int:message_id>/", views.message_mark_unread, name="message_mark_unread"),
    path("selected/", views.message_selected, name="message_selected"),
    path("seen/", views.message_mark_seen, name="message_mark_seen"),
    path("delete/message/<int:message_id>/", views.message_delete, name="message_delete"),
    path("delete/all/", views.message_delete_all, name="message_delete_all"),
    path("reply/<int:message_id>/", views.message_reply, name="message_reply"),
    path("block/<int:message_id>/", views.message_block, name="message_block"),
    path("unblock/<int:message_id>/", views.message_unblock, name="message_unblock"),
    path("cancel/<int:message_id>/", views.message_cancel, name="message_cancel"),
    path("retry/<int:message_id>/", views.message_retry, name="message_retry"),
    path("file/<int:message_id>/<int:file_id>/", file_views.message_file, name="message_file"),
    path("file/<str:token>/", file_views.message_signed_file, name="message_signed_file"),
    path("preferences/", preference_views.message_preferences, name="message_preferences"),
    path(
        "unsubscribe/<str:token>/",
        preference_views.message_unsubscribe,
        name="message_unsubscribe",
    ),
    path("push/", push_views.message_push, name="message_push"),
    path("push/worker.js", push_views.message_push_worker, name="message_push_worker"),
    path("json/", views.message_json, name="message_json"),
    # Names of the original, for which {% url %} would raise an error that names no cure.
    path("sse/", renamed_views.sse, name="persistent-messages-sse"),
    path("sse/<str:channel>", renamed_views.sse, name="persistent-messages-sse"),
    path("jsi18n/", renamed_views.catalog, name="js_i18n"),
]
