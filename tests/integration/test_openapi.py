"""schemathesis calls every operation of docs/openapi.yaml with generated values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from django.contrib.auth import get_user_model
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from monitio import INFO, create_message
from tests.support.jobs import report, reporter

DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.yaml"
CHECKS: list[Any] = [
    not_a_server_error, status_code_conformance, content_type_conformance,
    response_schema_conformance,
]  # fmt: skip
HEADERS = {"Authorization": "Bearer anns", "Accept": "application/json"}
EXAMPLES = 8
# Takes half a minute; tests/unit/test_openapi.py compares the schemas in `make test`.
pytestmark = [pytest.mark.variant, pytest.mark.django_db(transaction=True)]


def by_token(request: HttpRequest) -> Any:
    is_known = request.headers.get("Authorization") == "Bearer anns"
    return get_user_model()._default_manager.get(username="ann") if is_known else None


def send_all(send: Callable[[Any], None]) -> Counter[str]:
    """Call ``send`` with cases of every operation; the number of cases of each."""
    schema = schemathesis.openapi.from_path(str(DOCUMENT))
    schema.app = get_wsgi_application()
    sent: Counter[str] = Counter()
    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=EXAMPLES, deadline=None, database=None, derandomize=True,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=operation.as_strategy())
        def try_one(case: Any) -> None:
            sent[case.operation.label] += 1
            send(case)

        try_one()
    return sent


def test_every_operation_answers_as_it_is_described(ann: Any, bob: Any, settings: Any) -> None:
    settings.MONITIO_AUTHENTICATION = ["tests.integration.test_openapi.by_token"]
    settings.MONITIO_STREAMS_PER_PROCESS = 0
    message = create_message(ann, INFO, "Hello", from_user=bob)
    report(reporter(ann), "started")
    statuses: Counter[int] = Counter()

    def send(case: Any) -> None:
        if statuses.total() % 2:
            # An existing message, until it is deleted, and no token of another user's page.
            case.query.pop("page", None)
            if isinstance(case.body, dict):
                case.body.pop("page", None)
            if "message_id" in case.path_parameters:
                case.path_parameters["message_id"] = message.pk
        response = case.call(headers=HEADERS)
        statuses[response.status_code] += 1
        case.validate_response(response, checks=CHECKS)

    sent = send_all(send)
    print(dict(sent), dict(statuses))
    assert len(sent) == 17 and min(sent.values()) >= 2
    assert statuses[200] >= 30 and statuses[404] >= 10


def test_without_a_token_nothing_is_changed(settings: Any) -> None:
    settings.MONITIO_AUTHENTICATION = ["tests.integration.test_openapi.by_token"]

    def send(case: Any) -> None:
        response = case.call(headers={**HEADERS, "Authorization": "Bearer forged"})
        assert response.status_code == (404 if "token" in case.path_parameters else 401)

    send_all(send)
