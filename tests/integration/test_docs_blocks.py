"""Code blocks in README and docs are accepted by the tools of their language, or run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.conftest import missing, needs_packages
from tests.unit.test_docs_code import ROOT, blocks


def test_scripts_and_styles_are_parsed(tmp_path: Path) -> None:
    needs_packages()
    esbuild = ROOT / "node_modules/.bin/esbuild"
    for kind in ("js", "jsx", "css"):
        for number, (_place, text) in enumerate(blocks(kind)):
            (tmp_path / f"{kind}{number}.{kind}").write_text(text)
    command = [str(esbuild), *map(str, sorted(tmp_path.iterdir())), f"--outdir={tmp_path}/out"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "WARNING" not in done.stderr, done.stderr


def test_nginx_accepts_its_blocks(tmp_path: Path) -> None:
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        missing("nginx is missing: apt-get install nginx")
    found = "".join(text for _place, text in blocks("nginx"))
    config = f"""pid {tmp_path}/pid; error_log stderr; events {{}}
        http {{ access_log off; client_body_temp_path {tmp_path}; proxy_temp_path {tmp_path};
        fastcgi_temp_path {tmp_path}; uwsgi_temp_path {tmp_path}; scgi_temp_path {tmp_path};
        upstream app {{ server 127.0.0.1:1; }} server {{ {found} }} }}"""
    (tmp_path / "nginx.conf").write_text(config)
    command = [nginx, "-t", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project with the code of docs/celery.md and the tests' settings."""
    package = tmp_path / "shop"
    package.mkdir()
    for code in dict(blocks("python", ROOT / "docs" / "celery.md")).values():
        name = re.match(r"# shop/([a-z_]+\.py)", code)
        if name:
            (package / name[1]).write_text(code)
    (package / "settings.py").write_text(
        "from tests.settings import *\nCELERY_BROKER_URL = 'memory://'\n"
    )
    return tmp_path


def test_the_documented_celery_app_has_monitios_tasks_and_beat_entries(shop: Path) -> None:
    code = """
        import django, shop.settings
        django.setup()
        from celery import current_app
        from django.core.checks import run_checks
        app = current_app._get_current_object()
        app.finalize()
        entries = app.conf.beat_schedule.values()
        assert app.main == "shop" and entries
        assert not {entry["task"] for entry in entries} - app.tasks.keys()
        assert "monitio_celery.tasks.deliver" in app.tasks
        assert not [m for m in run_checks(tags=["monitio"]) if "Celery" in m.msg]
    """
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "shop.settings"}
    environment["PYTHONPATH"] = os.pathsep.join([str(shop), str(ROOT)])
    command = [sys.executable, "-c", textwrap.dedent(code)]
    subprocess.run(command, env=environment, check=True, timeout=240)
