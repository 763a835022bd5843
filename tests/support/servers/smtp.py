"""A mail server that accepts, delays, refuses or disconnects by the test's script."""

from __future__ import annotations

import asyncio
import email
import email.policy
import threading
from collections import Counter
from email.message import EmailMessage
from typing import Any

import django
from aiosmtpd.smtp import SMTP

BACKEND = "django.core.mail.backends.smtp.EmailBackend"
# In a script, instead of a reply.
DROP, HANG = "drop", "hang"


class MailServer:
    """``mails`` are the accepted e-mails, as they were sent.

    ``script`` maps a command ("RCPT", "BODY", …; "CONNECT" is the greeting, "TAKEN" the reply to a
    body that was accepted) to its replies, taken one after another: a line such as "450 busy",
    ``DROP``, ``HANG``, or None for the usual one. ``seconds`` is how long each reply takes.
    """

    def __init__(self) -> None:
        self.reset()
        self.port = 0
        self._conversations: list[_Smtp] = []
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def reset(self) -> None:
        """Remove all mails and the script."""
        self.script: dict[str, list[str | None]] = {}
        self.seconds = 0.0
        self.sources: list[bytes] = []
        self.commands: list[str] = []

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(120)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(120)

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        server = await self._loop.create_server(self._answer, "127.0.0.1", 0)
        self.port = int(server.sockets[0].getsockname()[1])
        self._ready.set()
        await self._stopping.wait()
        server.close()
        for conversation in self._conversations:
            if conversation.transport is not None:
                conversation.transport.abort()
        # The event loop closes aborted connections in its next iterations.
        await asyncio.sleep(0.05)

    def _answer(self) -> _Smtp:
        conversation = _Smtp(self, _Handler(self), hostname="mail.test", loop=self._loop)
        self._conversations.append(conversation)
        return conversation

    @property
    def mails(self) -> list[EmailMessage]:
        return [
            email.message_from_bytes(source, policy=email.policy.default) for source in self.sources
        ]

    def times_sent(self) -> Counter[int]:
        """Number of arrivals -> number of e-mails (by ``Message-ID``) that arrived so often."""
        return Counter(Counter(mail["Message-ID"] for mail in self.mails).values())

    def settings(self, backend: str = BACKEND) -> dict[str, Any]:
        """The settings of a site that sends its e-mails to this server."""
        if django.VERSION >= (6, 1):
            options = {"host": "127.0.0.1", "port": self.port}
            return {"MAILERS": {"default": {"BACKEND": backend, "OPTIONS": options}}}
        return {"EMAIL_BACKEND": backend, "EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": self.port}

    async def reply(self, smtp: _Smtp, command: str) -> str | None:
        """The script's reply to this command; None for the usual one."""
        self.commands.append(command)
        await asyncio.sleep(self.seconds)
        line = (self.script.get(command) or [None]).pop(0)
        if line == HANG:
            await asyncio.Event().wait()
        if line == DROP:
            smtp.transport.abort()
        return line


class _Smtp(SMTP):
    def __init__(self, server: MailServer, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.mail_server = server

    async def push(self, status: Any) -> None:
        # The greeting, the first line of a connection, answers no command.
        if str(status).startswith("220 "):
            status = await self.mail_server.reply(self, "CONNECT") or status
        await super().push(status)


class _Handler:
    def __init__(self, server: MailServer) -> None:
        self.server = server

    async def handle_EHLO(
        self, smtp: _Smtp, session: Any, envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        line = await self.server.reply(smtp, "EHLO")
        session.host_name = hostname
        return [line] if line else responses

    async def handle_MAIL(
        self, smtp: _Smtp, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return await self.server.reply(smtp, "MAIL") or "250 OK"

    async def handle_RCPT(
        self, smtp: _Smtp, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        line = await self.server.reply(smtp, "RCPT")
        if line is None:
            envelope.rcpt_tos.append(address)
        return line or "250 OK"

    async def handle_DATA(self, smtp: _Smtp, session: Any, envelope: Any) -> str:
        line = await self.server.reply(smtp, "BODY")
        if line is None:
            self.server.sources.append(envelope.content)
            line = await self.server.reply(smtp, "TAKEN")
        return line or "250 OK"

    async def handle_NOOP(self, smtp: _Smtp, session: Any, envelope: Any, arg: str) -> str:
        return await self.server.reply(smtp, "NOOP") or "250 OK"

    async def handle_QUIT(self, smtp: _Smtp, session: Any, envelope: Any) -> str:
        return await self.server.reply(smtp, "QUIT") or "221 Bye"
