"""One view that starts a task: ``POST /start/<name>/`` with JSON arguments."""

from __future__ import annotations

import json

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt

from tests.integration.tasks import work


@csrf_exempt
def start(request: HttpRequest, name: str) -> HttpResponse:
    asked = json.loads(request.body or b"{}")
    task = work.TASKS[name].using(backend=asked.get("backend", "default"))
    if asked.get("rolled_back"):
        with transaction.atomic():
            task.enqueue(*asked.get("args", ()))
            transaction.set_rollback(True)
        return HttpResponse()
    return HttpResponse(str(task.enqueue(*asked.get("args", ())).id))


urlpatterns = [path("start/<str:name>/", start), path("", include("monitio.urls"))]
