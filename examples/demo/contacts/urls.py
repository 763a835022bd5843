from __future__ import annotations

from django.urls import path

from examples.demo.contacts import views

urlpatterns = [
    path("", views.home, name="home"),
    path("imports/", views.imports, name="imports"),
    path("import/", views.import_file, name="import_file"),
    path("import/sample/", views.import_sample, name="import_sample"),
    path("start/<slug:name>/", views.start, name="start"),
    path("send/", views.send, name="send"),
    path("sample/contacts.csv", views.sample_file, name="sample_file"),
    path("mails/", views.mail_list, name="mails"),
    path("log-in/<slug:name>/", views.log_in, name="log_in"),
    path("log-out/", views.log_out, name="log_out"),
]
