"""Debian's RabbitMQ as a node of the tests: its own ports, its own epmd, a folder of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

from tests.support.servers.ports import ShortFolder, free_port, is_listening
from tests.support.waiting import wait_until

# The script that /usr/sbin/rabbitmq-server runs as the user of the service.
PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


class RabbitMQ:
    """``url`` stays the same over restarts; what is durable survives them."""

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
                # The node would start one itself, which nobody would stop.
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
        """Ask it to end, as an administrator does, and wait for it."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(120)

    def kill(self) -> None:
        """End it at once, as a crash does."""
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
            # Another site's full disk or memory must not stop the tests.
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
            # Its cookie lies there.
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
            # One process that signals reach, not a shell around it.
            "RABBITMQ_ALLOW_INPUT": "yes",
            "RABBITMQ_SERVER_START_ARGS": "-noinput",
        }

    def _answers(self) -> bool:
        # It listens before it takes messages: only its greeting says that it is ready.
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 5) as probe:
            probe.sendall(b"AMQP\x00\x00\x09\x01")
            return probe.recv(1) == b"\x01"
        return False

    def _log_text(self) -> str:
        said = (self.folder.path / "log").read_text(errors="replace")
        return f"RabbitMQ on port {self.port} does not answer. It said:\n{said[-3000:]}"
