"""Other processes of a site, whose functions a test calls.

``Peer`` is the test's side; the process runs a module that passes a dictionary of functions to
``serve``. A call is one JSON line in each direction.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
# Seconds within which a running server answers on any machine.
TIMEOUT = 30.0


class Peer:
    """A started process that waits for calls: ``peer.publish(…)``, or ``begin`` and ``end``."""

    def __init__(
        self, module: str, database: str, settings_module: str = "tests.settings", **settings: Any
    ) -> None:
        self.process = subprocess.Popen(
            # apprise imports imghdr below Python 3.13.
            [
                *(sys.executable, "-W", "error", "-W", "ignore:'imghdr' is deprecated"),
                *("-m", module, json.dumps(settings)),
            ],
            cwd=ROOT,
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": settings_module,
                "MONITIO_TEST_DATABASE": database,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def begin(self, function: str, *args: Any) -> None:
        """Call without waiting for the answer, so that several peers run in parallel."""
        assert self.process.stdin is not None
        print(json.dumps([function, args]), file=self.process.stdin, flush=True)

    def end(self) -> Any:
        """The answer of the oldest call. Raises its exception, as text."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"The peer has died: {self.process.wait(120)}"
        error, answer = json.loads(line)
        if error:
            raise RuntimeError(error)
        return answer

    def __getattr__(self, function: str) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            self.begin(function, *args)
            return self.end()

        return call

    def request_stop(self) -> None:
        """Start its shutdown without waiting, so that several peers end in parallel."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def close(self) -> None:
        """Wait for its regular end, as at the end of a deployment. Fails when it hangs."""
        assert self.process.stdout is not None
        self.request_stop()
        try:
            self.process.wait(120)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            self.process.stdout.close()


@contextmanager
def short_timeout(peer: Peer, module: str, name: str = "PUBLISH_TIMEOUT") -> Iterator[None]:
    """The peer waits one second for servers instead of ``TIMEOUT``, as sites do."""
    peer.patch(f"monitio.{module}.{name}", 1.0)
    try:
        yield
    finally:
        peer.patch(f"monitio.{module}.{name}", TIMEOUT)


def close_all(peers: Sequence[Peer]) -> None:
    for peer in peers:
        peer.request_stop()
    for peer in peers:
        peer.close()


def create_tables() -> None:
    """Create the tables from the models, in a tenth of the time that all migrations take.

    tests/integration/storage runs the migrations.
    """
    from django.apps import apps
    from django.conf import settings
    from django.core.management import call_command

    settings.MIGRATION_MODULES = {app.label: None for app in apps.get_app_configs()}
    call_command("migrate", run_syncdb=True, skip_checks=True, verbosity=0)


def patch(path: str, value: Any) -> None:
    """Set a module's constant, for example ``("monitio.transports.redis.PONG_WITHIN", 2)``."""
    module, _, name = path.rpartition(".")
    setattr(importlib.import_module(module), name, value)


def serve(functions: Mapping[str, Callable[..., Any]]) -> None:
    """The peer's main loop; it ends when the test process closes the pipe or dies."""
    functions = {"migrate": create_tables, "patch": patch, **functions}
    for line in sys.stdin:
        name, args = json.loads(line)
        try:
            answer = (None, functions[name](*args))
        except Exception as error:
            answer = (f"{type(error).__name__}: {error}", None)
        print(json.dumps(answer), flush=True)


def set_up() -> None:
    """Set up Django with the settings that the test passed as the only argument."""
    import django
    from django.conf import settings

    for name, value in json.loads(sys.argv[1]).items():
        setattr(settings, name, value)
    django.setup()
