"""What encrypts stored secrets: Fernet of the library cryptography, by keys of the environment."""

from __future__ import annotations

import os

from cryptography.fernet import Fernet, MultiFernet


class FernetEncryption:
    """The first of ENCRYPTION_KEYS encrypts, each decrypts: put a new key in front of the old."""

    def __init__(self) -> None:
        keys = os.environ["ENCRYPTION_KEYS"].split()
        self._keys = MultiFernet([Fernet(key) for key in keys])

    def encrypt(self, text: str) -> str:
        return self._keys.encrypt(text.encode()).decode()

    def decrypt(self, text: str) -> str:
        return self._keys.decrypt(text.encode()).decode()
