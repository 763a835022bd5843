"""Debian's nginx in the foreground, with the documented configuration and its own folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.support.peers import ROOT
from tests.support.servers.ports import ShortFolder, is_listening
from tests.support.waiting import wait_until

CONFIGURATIONS = ROOT / "examples/production"
NCHAN = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
FRAME = """
daemon off;
worker_processes {workers};
{user}
pid nginx.pid;
error_log error.log info;
{modules}
worker_shutdown_timeout 1s;
events {{ worker_connections 4096; }}
http {{
    include /etc/nginx/mime.types;
    access_log access.log;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    include site.conf;
}}
"""


def documented(
    name: str, apps: Iterable[str], public: int, spots: dict[str, str] | None = None
) -> str:
    """A configuration of examples/production, changed to loopback without a certificate.

    ``apps`` are the addresses of the site's processes, ``spots`` further replacements (by pattern).
    """
    config = (CONFIGURATIONS / name).read_text()
    servers = "".join(f"server {app};" for app in apps)
    for wanted, instead in {
        r"server unix:/run/contacts/site.sock fail_timeout=0;": servers,
        r"server \{\n    listen 80;(?s:.*?)\n\}\n": "",
        r"listen 443 ssl http2;": f"listen 127.0.0.1:{public};",
        r"    ssl_certificate.*\n": "",
        **(spots or {}),
    }.items():
        config, found = re.subn(wanted, instead, config)
        assert found, f"{wanted} is no longer in {name}"
    return config


class Nginx:
    """``config`` is the content of ``http``; nginx listens on ``ports``."""

    def __init__(self, config: str, *ports: int, workers: int = 2) -> None:
        self.binary = shutil.which("nginx") or "/usr/sbin/nginx"
        self.ports = ports
        self.folder = ShortFolder("nginx-")
        frame = FRAME.format(
            workers=workers,
            # Root's nginx would run its workers as a user who cannot reach the tests' sockets.
            user="user root root;" if os.geteuid() == 0 else "",
            modules=f"load_module {NCHAN};" if "nchan_" in config else "",
        )
        (self.folder.path / "nginx.conf").write_text(frame)
        (self.folder.path / "site.conf").write_text(config)
        self.process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def is_installed(nchan: bool = False) -> bool:
        found = shutil.which("nginx") or Path("/usr/sbin/nginx").exists()
        return bool(found) and (NCHAN.exists() or not nchan)

    def start(self) -> None:
        """Start it, and wait until it listens. Does nothing when it runs."""
        if self.process is not None and self.process.poll() is None:
            return
        prefix = self.folder.path
        # In its own process group: signals reach its workers too.
        self.process = subprocess.Popen(
            [self.binary, "-p", str(prefix), "-c", "nginx.conf", "-e", "error.log"],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_until(lambda: all(is_listening(port) for port in self.ports), message=self._log_text)

    def signal(self, number: int) -> None:
        """Send this signal to all of its processes."""
        assert self.process is not None
        os.killpg(self.process.pid, number)

    def stop(self) -> None:
        """Request a fast shutdown, and wait for the end."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(40)

    def close(self) -> None:
        """Stop it for good and remove its files."""
        self.stop()
        self.folder.remove()

    def log(self) -> str:
        """The contents of its log files."""
        return "".join(
            (self.folder.path / name).read_text(errors="replace")
            for name in ("access.log", "error.log")
            if (self.folder.path / name).exists()
        )

    def _log_text(self) -> str:
        return f"nginx does not listen on {self.ports}. Its log:\n{self.log()}"
