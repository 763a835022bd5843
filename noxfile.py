"""Every combination of Python and Django that monitio supports: ``nox``, or one: ``nox -s lint``.

Interpreters that are not installed are skipped. ``make test`` is the same suite in one environment.
"""

from __future__ import annotations

from pathlib import Path

import nox

nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["lint", "package", "unit"]

# Django 6.0 needs Python 3.12.
SUPPORTED = [
    ("3.11", "5.2"),
    ("3.12", "5.2"),
    ("3.12", "6.0"),
    ("3.13", "6.0"),
    ("3.13", "6.1"),
    ("3.14", "6.1"),
]
DJANGO = {"5.2": "Django~=5.2.0", "6.0": "Django~=6.0.0", "6.1": "Django~=6.1.0"}


@nox.session
@nox.parametrize("python,django", SUPPORTED)
def unit(session: nox.Session, django: str) -> None:
    """Tests without servers."""
    session.install("--editable", ".[test-unit]", DJANGO[django])
    session.run("python", "-m", "pytest", "tests/unit", *session.posargs)


@nox.session
@nox.parametrize("python,django", SUPPORTED)
def tests(session: nox.Session, django: str) -> None:
    """The whole suite, on SQLite, PostgreSQL and MariaDB."""
    session.install("--editable", ".[test]", DJANGO[django])
    session.run("python", "-m", "pytest", "-n", "2", *session.posargs)


@nox.session(python="3.11")
def oldest(session: nox.Session) -> None:
    """The main features on the oldest versions that setup.cfg allows."""
    session.run("make", "test-oldest", external=True)


@nox.session(python="3.14")
def main(session: nox.Session) -> None:
    """Tests without servers on the next versions, pre-releases included."""
    session.install("--editable", ".[test-unit]")
    session.install("--pre", "--upgrade", "Django", "celery", "redis")
    session.run("python", "-m", "pytest", "tests/unit", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    session.run("make", "lint", external=True)


@nox.session
def audit(session: nox.Session) -> None:
    """Known vulnerabilities of what the extras bring."""
    session.install(".[celery,redis,postgres,push,webhooks]", "pip-audit")
    session.run("pip-audit", "--skip-editable")


@nox.session
def package(session: nox.Session) -> None:
    """Build the sdist, and the wheel from it; install the wheel alone."""
    dist = session.create_tmp()
    session.install("build", "twine", "check-wheel-contents")
    session.run("python", "-m", "build", "--outdir", dist)
    files = [str(path) for path in sorted(Path(dist).glob("monitio-*"))]
    session.run("twine", "check", "--strict", *files)
    wheels = [name for name in files if name.endswith(".whl")]
    session.run("check-wheel-contents", *wheels)
    session.install("--force-reinstall", *wheels)
    session.run("python", "-c", "import monitio; print(monitio.__version__)")
