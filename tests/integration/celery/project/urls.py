"""Views that start tasks."""

from __future__ import annotations

import json
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt

from tests.integration.celery.project import tasks


@csrf_exempt
def start(request: HttpRequest) -> HttpResponse:
    """Call ``tasks.<what>`` with the posted arguments; ``how`` names a method of the task."""
    asked: dict[str, Any] = json.loads(request.body)
    target = getattr(tasks, asked["what"])
    how = asked.get("how", "delay")
    call = target if how == "call" else getattr(target, how)
    if how.startswith("apply"):
        result = call(asked.get("args"), asked.get("kwargs"), **asked.get("options", {}))
    else:
        result = call(*asked.get("args", ()), **asked.get("kwargs", {}))
    # The view's transaction is still usable.
    User.objects.count()
    if asked.get("rollback"):
        raise RuntimeError("The view fails after it started the task.")
    return JsonResponse({"id": getattr(result, "id", result)})


@transaction.non_atomic_requests
async def start_async(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"id": tasks.plain_success.delay().id})


urlpatterns = [
    path("start/", start),
    path("start/async/", start_async),
    path("messages/", include("monitio.urls")),
]
