"""Blocks of code in README and docs pass the tools of their language."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

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
