"""Requests of channels to receivers on the web, and what follows from their responses."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from http.client import HTTPException

from django.views.decorators.debug import sensitive_variables

from monitio.channels.base import PermanentFailure, TemporaryFailure
from monitio.utils import outbound

# Beside 5xx: time-out, too early, too many.
TEMPORARY = (408, 425, 429)


@sensitive_variables()
def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    timeout: float,
    receiver: str,
    gone: Collection[int],
    returned: Collection[int] = (),
) -> int:
    """POST ``body``, by the rules of ``outbound``; the status: one of 2xx or of ``returned``.

    Raises ``TemporaryFailure`` or ``PermanentFailure`` for any other status, with ``is_gone`` for
    those of ``gone``. ``receiver`` begins the reasons, which hold neither URL nor address.
    """
    try:
        response = outbound.post(url, body, headers, timeout=timeout)
    except outbound.Refused as refused:
        raise PermanentFailure(str(refused)) from None
    except HTTPException:
        raise TemporaryFailure(f"{receiver} did not respond in HTTP.") from None
    except OSError as error:
        raise TemporaryFailure(f"{receiver} was not reached: {error}") from None
    status = response.status
    reason = f"{receiver} responded with status {status}."
    if 200 <= status < 300 or status in returned:
        return status
    if status in TEMPORARY or status >= 500:
        raise TemporaryFailure(reason, retry_after=response.retry_after)
    if 300 <= status < 400:
        reason = f"{reason} Redirects are not followed."
    raise PermanentFailure(reason, is_gone=status in gone)
