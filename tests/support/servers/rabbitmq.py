"""Debian's RabbitMQ as a child process, with its own ports, epmd and folder."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

from tests.support.servers.ports import ShortFolder, free_port, is_listening
from tests.support.waiting import wait_until

# /usr/sbin/rabbitmq-server runs this script as the service's user.
PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


class RabbitMQ:
    """``url`` stays the same over restarts; durable queues survive them."""

    def __init__(self) -> None:
        self.folder = ShortFolder("rabbitmq-")
        self.port, self.epmd_port, self.distribution_port = free_port(), free_port(), free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.epmd: subprocess.Popen[bytes] | None = None

    @staticmethod
    def is_installed() -> bool:
        return PROGRAM.exists() and shutil.which("epmd") is not None

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start it, and wait until it answers. Does nothing when it runs."""
        if self.running:
            return
        self._write_configuration()
        environment = self._environment()
        with (self.folder.path / "log").open("ab") as log:
            if self.epmd is None:
                # An epmd that the node starts itself outlives it.
                self.epmd = subprocess.Popen(
                    ["epmd", "-address", "127.0.0.1"],
                    env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                )  # fmt: skip
                wait_until(lambda: is_listening(self.epmd_port))
            self.process = subprocess.Popen(
                [PROGRAM], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        wait_until(self._answers, 120, self._log_text)

    def stop(self) -> None:
        """Stop it as an administrator does, and wait for the end."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(120)

    def kill(self) -> None:
        """Kill it, as in a crash."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(40)

    def close(self) -> None:
        """Stop it for good, with its epmd, and remove its files."""
        self.kill()
        if self.epmd is not None:
            self.epmd.kill()
            self.epmd.wait(40)
        self.folder.remove()

    def _write_configuration(self) -> None:
        lines = [
            f"listeners.tcp.1 = 127.0.0.1:{self.port}",
            # A machine whose disk or memory is nearly full must not block publishing.
            "disk_free_limit.absolute = 1MB",
            "log.console = true",
            "log.console.level = warning",
        ]
        (self.folder.path / "rabbitmq.conf").write_text("\n".join(lines) + "\n")
        (self.folder.path / "plugins").write_text("[].\n")

    def _environment(self) -> dict[str, str]:
        folder = self.folder.path
        return {
            **os.environ,
            # The node reads its cookie there.
            "HOME": str(folder),
            "ERL_EPMD_PORT": str(self.epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_NODENAME": f"monitio{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self.distribution_port),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "logs"),
            "RABBITMQ_LOGS": "-",
            # One process that signals reach, without a shell around it.
            "RABBITMQ_ALLOW_INPUT": "yes",
            "RABBITMQ_SERVER_START_ARGS": "-noinput",
        }

    def _answers(self) -> bool:
        # It listens before it accepts messages: only its greeting shows that it is ready.
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 5) as probe:
            probe.sendall(b"AMQP\x00\x00\x09\x01")
            return probe.recv(1) == b"\x01"
        return False

    def _log_text(self) -> str:
        log = (self.folder.path / "log").read_text(errors="replace")
        return f"RabbitMQ on port {self.port} does not answer. Its log:\n{log[-3000:]}"
