"""A push service that decrypts notifications as a browser does, and verifies their sender."""

from __future__ import annotations

import json
import re
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path
from typing import Any

import http_ece
import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.servers.pager import PagerServer
from tests.support.servers.tls import certificate

DAY = 24 * 60 * 60
AUTH_SECRET = b"0123456789abcdef"


def encoded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


class Browser:
    """The keys of a subscribed device."""

    def __init__(self) -> None:
        self.private_key = ec.generate_private_key(ec.SECP256R1())

    def subscription(self, endpoint: str) -> dict[str, Any]:
        point = self.private_key.public_key().public_bytes(
            Encoding.X962, PublicFormat.UncompressedPoint
        )
        return {
            "endpoint": endpoint,
            "expirationTime": None,
            "keys": {"p256dh": encoded(point), "auth": encoded(AUTH_SECRET)},
        }

    def decrypt(self, raw: bytes) -> dict[str, Any]:
        text = http_ece.decrypt(raw, private_key=self.private_key, auth_secret=AUTH_SECRET)
        read: dict[str, Any] = json.loads(text)
        return read


def verify(headers: dict[str, str], audience: str) -> str:
    """The sender's public key. Raises an exception for wrong headers."""
    signed = re.fullmatch(r"vapid t=([\w.-]+),\s*k=([\w-]+)", headers["Authorization"])
    assert signed, headers["Authorization"]
    point = urlsafe_b64decode(f"{signed[2]}==")
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    required = {"require": ["aud", "exp", "sub"]}
    claims = jwt.decode(signed[1], key, algorithms=["ES256"], audience=audience, options=required)
    assert claims["exp"] - time.time() <= DAY
    assert claims["sub"].startswith(("mailto:", "https://"))
    assert headers["Content-Encoding"] == "aes128gcm"
    assert headers["TTL"].isdecimal()
    assert headers["Urgency"] in ("very-low", "low", "normal", "high")
    assert re.fullmatch(r"[\w-]{1,32}", headers["Topic"])
    return signed[2]


class PushService(PagerServer):
    """Serves https with its own certificate; ``trusted`` is the file of its authority.

    ``public_key``: once set, the only sender's key that it accepts.
    """

    def __init__(self, folder: Path) -> None:
        tls, self.trusted = certificate(folder)
        super().__init__(self._decrypt, tls)
        self.browser = Browser()

    def reset(self) -> None:
        super().reset()
        self.public_key = ""

    def subscription(self, device: str) -> dict[str, Any]:
        return self.browser.subscription(f"{self.url}send/{device}")

    def _decrypt(self, raw: bytes, headers: dict[str, str]) -> dict[str, Any]:
        signer = verify(headers, self.url.rstrip("/"))
        assert signer == self.public_key or not self.public_key
        assert len(raw) <= 4096
        return self.browser.decrypt(raw)
