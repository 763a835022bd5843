"""docs/openapi.yaml matches the JSON views and the stream."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client
from django.urls import reverse
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate

import monitio
from monitio import INFO, api, create_message, urls
from monitio.models import Message
from monitio.models.jobs import STATES
from monitio.recipients import Recipient
from monitio.serializers import payload
from monitio.stream import frames
from monitio.testing import capture_events
from tests.support.jobs import report, reporter

DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.yaml"
SCHEMA: dict[str, Any] = yaml.safe_load(DOCUMENT.read_text(encoding="utf-8"))
# Views for browsers that the document omits: pages, scripts and redirects.
OTHERS = {
    "message_list", "message_detail", "message_preferences", "message_unsubscribe",
    "message_push_worker", "persistent-messages-sse", "js_i18n",
}  # fmt: skip


def fits(name: str, data: Any) -> None:
    """Raises unless ``data`` is valid for this schema of the document."""
    whole = {**SCHEMA["components"]["schemas"][name], "components": SCHEMA["components"]}
    OAS31Validator(whole).validate(json.loads(json.dumps(data, default=str)))


def test_it_is_openapi_3_1() -> None:
    assert SCHEMA["openapi"] == "3.1.0"
    validate(SCHEMA)


def test_every_view_is_described_under_its_name_and_path() -> None:
    described = {}
    for path, operations in SCHEMA["paths"].items():
        for method in operations.keys() & {"get", "post"}:
            described[operations[method]["operationId"]] = path
    views = {one.name: one for one in urls.urlpatterns}
    assert described.keys() | OTHERS == views.keys() and not described.keys() & OTHERS
    for name, path in described.items():
        route = str(views[name].pattern).replace("<int:", "{").replace("<str:", "{")
        assert path == "/" + route.replace(">", "}")


def test_it_has_the_version_of_the_package() -> None:
    assert SCHEMA["info"]["version"] == monitio.__version__


def opened(client: Client, **query: str) -> str:
    """The whole body of a stream above the limits."""
    page = client.get(reverse("message_json"), {"bootstrap": ""}).json()["page"]
    response: Any = client.get(reverse("message_stream"), {"page": page, **query})
    return b"".join(response).decode()


class TestRealData:
    @pytest.fixture(autouse=True)
    def _messages(self, ann: Any, bob: Any) -> None:
        create_message(ann, INFO, "Hello", from_user=bob, subject="From Bob", url="/x/")
        job = reporter(ann)
        for event in ("queued", "started"):
            report(job, event)
        job.progressed(3, 10, "third")

    def test_messages_and_jobs(self, ann: Any) -> None:
        rows = api.inbox(Recipient.of(ann))
        assert len(rows) == 2
        for row in rows:
            fits("Message", payload(row))

    def test_the_answers_of_message_json(self, browser: Client, ann: Any) -> None:
        address = reverse("message_json")
        fits("Snapshot", browser.get(address).json())
        fits("Snapshot", Client().get(address).json())
        fits("Bootstrap", browser.get(address, {"bootstrap": ""}).json())
        before = {"before": Message.objects.latest("pk").pk}
        older = browser.get(address, before).json()
        assert older["messages"]
        fits("Older", older)

    def test_a_change(self, browser: Client) -> None:
        json_only = {"Accept": "application/json"}
        answer = browser.post(reverse("message_mark_all_read"), headers=json_only)
        fits("Done", answer.json())

    def test_the_events_of_a_stream(
        self, ann: Any, bob: Any, settings: Any, django_capture_on_commit_callbacks: Any
    ) -> None:
        response = SCHEMA["paths"]["/stream/"]["get"]["responses"]["200"]
        described = {
            one["properties"]["event"]["const"]: one["properties"]["data"]["contentSchema"]["$ref"]
            for one in response["content"]["text/event-stream"]["schema"]["oneOf"]
        }
        assert described.keys() == frames.EVENTS
        settings.MONITIO_STREAMS_PER_PROCESS = 0
        client = Client()
        client.force_login(ann)
        found = opened(client)
        with capture_events() as events, django_capture_on_commit_callbacks(execute=True):
            message = create_message(ann, INFO, "Live")
            api.delete(Recipient.of(ann), [message.pk])
        found += "".join(
            frames.event(event.kind, event.data).decode() for event in events if event.data
        )
        found += frames.BEAT.decode()
        # Nothing of bob runs, so his snapshot is complete.
        client.force_login(bob)
        found += opened(client, has=re.search('"mark":"(.+?)"', opened(client))[1])
        names = set()
        for frame in found.split("\n\n"):
            if frame.startswith("event: "):
                name, _, data = frame.removeprefix("event: ").partition("\ndata: ")
                fits(described[name].rpartition("/")[2], json.loads(data))
                names.add(name)
        assert names == frames.EVENTS


def test_all_states_of_a_job_are_listed() -> None:
    described = SCHEMA["components"]["schemas"]["Job"]["properties"]["state"]["enum"]
    assert described == [value for value, _ in STATES]
