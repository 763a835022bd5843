"""Files that a Content-Security-Policy allows, by the rules of browsers."""

from __future__ import annotations

import pytest

from monitio.management.doctor.csp import refusing

PAGE = "https://example.com/shop/"
BODY = '<script type="module" src="/static/a.js" nonce="n+/="></script>'


@pytest.mark.parametrize(
    ("policy", "kind", "address", "directive"),
    [
        ("", "script", "https://example.com/static/a.js", None),
        ("img-src 'none'", "script", "https://example.com/static/a.js", None),
        ("default-src 'self'", "script", "https://example.com/static/a.js", None),
        ("default-src 'none'", "connect", "https://example.com/stream/", "default-src"),
        ("default-src 'none'; connect-src 'self'", "connect", "https://example.com/s/", None),
        ("script-src 'self'", "script", "https://cdn.test/a.js", "script-src"),
        ("script-src cdn.test", "script", "https://cdn.test/a.js", None),
        ("script-src https://cdn.test/js/", "script", "https://cdn.test/js/a.js", None),
        ("script-src https://cdn.test/js/", "script", "https://cdn.test/a.js", "script-src"),
        ("script-src *.test", "script", "https://cdn.test/a.js", None),
        ("script-src *.test", "script", "https://test/a.js", "script-src"),
        ("script-src cdn.test:8000", "script", "https://cdn.test/a.js", "script-src"),
        ("script-src cdn.test:*", "script", "https://cdn.test:8000/a.js", None),
        ("script-src cdn.test:port", "script", "https://cdn.test/a.js", "script-src"),
        ("script-src https://[cdn 'self'", "script", "https://example.com/a.js", None),
        ("script-src https:", "script", "https://cdn.test/a.js", None),
        ("script-src *", "script", "https://cdn.test/a.js", None),
        ("script-src 'nonce-n+/='", "script", "https://example.com/static/a.js", None),
        ("script-src 'nonce-m'", "script", "https://example.com/static/a.js", "script-src"),
        (
            "script-src 'self' 'strict-dynamic'",
            "script",
            "https://example.com/static/a.js",
            "script-src",
        ),
        (
            "script-src 'self'; script-src-elem 'none'",
            "script",
            "https://example.com/static/a.js",
            "script-src-elem",
        ),
        ("STYLE-SRC 'none'; style-src 'self'", "style", "https://example.com/a.css", "style-src"),
    ],
)
def test_a_file_is_allowed_or_the_directive_is_named(
    policy: str, kind: str, address: str, directive: str | None
) -> None:
    assert refusing([policy], kind, address, PAGE, BODY) == directive


def test_each_of_several_policies_must_allow_it() -> None:
    policies = ["script-src 'self'", "default-src 'none'"]
    address = "https://example.com/static/a.js"
    assert refusing(policies, "script", address, PAGE, BODY) == "default-src"


def test_a_script_that_another_one_imports_has_its_nonce() -> None:
    policies = ["script-src 'nonce-n+/=' 'strict-dynamic'"]
    address, importer = "https://example.com/static/b.js", "https://example.com/static/a.js"
    assert refusing(policies, "script", address, PAGE, BODY) == "script-src"
    assert refusing(policies, "script", address, PAGE, BODY, importer) is None
