"""Whether a Content-Security-Policy lets a page load a file or open a stream."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

PORTS = {"http": 80, "https": 443}


def refusing(
    policies: list[str], kind: str, address: str, page: str, body: str, importer: str = ""
) -> str | None:
    """The directive that refuses ``address`` to a page; None where all policies allow it.

    ``kind``: "script", "style" or "connect". ``body``: the page's HTML, which holds nonces.
    ``importer``: the script of the page that loads this one, and whose nonce counts for it.
    """
    for policy in policies:
        directives: dict[str, list[str]] = {}
        for words in filter(None, map(str.split, policy.split(";"))):
            directives.setdefault(words[0].lower(), words[1:])
        for name in (f"{kind}-src-elem", f"{kind}-src", "default-src"):
            if name in directives:
                if not _allows(directives[name], kind, address, page, body, importer or address):
                    return name
                break
    return None


def _allows(sources: list[str], kind: str, address: str, page: str, body: str, tag: str) -> bool:
    for source in sources:
        if kind != "connect" and source.startswith("'nonce-"):
            nonce, path = re.escape(source[7:-1]), re.escape(urlsplit(tag).path)
            if re.search(rf'{path}"[^>]*nonce="{nonce}"', body):
                return True
    # With it, a browser ignores the hosts.
    if kind == "script" and "'strict-dynamic'" in sources:
        return False
    return any(_matches(source, urlsplit(address), urlsplit(page)) for source in sources)


def _matches(source: str, address: SplitResult, page: SplitResult) -> bool:
    """A source without quotes is a scheme, or a host with scheme, port and path or without."""
    if source == "'self'":
        return address.hostname == page.hostname and _port(address) == _port(page)
    if source == "*":
        return True
    if source.endswith(":"):
        return source.lower() in (f"{address.scheme}:", "http:")
    bare = source.replace(":*", "", 1)
    try:
        wanted = urlsplit(bare if "://" in bare else f"{address.scheme}://{bare}")
        port = _port(wanted)
    except ValueError:
        return False  # browsers ignore it
    host, name = wanted.hostname or "", address.hostname or ""
    is_host = name.endswith(host[1:]) if host.startswith("*.") else name == host
    is_port = bare != source or port == _port(address)
    path = wanted.path
    is_path = address.path.startswith(path) if path.endswith("/") else path in ("", address.path)
    return is_host and is_port and is_path and wanted.scheme in (address.scheme, "http")


def _port(address: SplitResult) -> int | None:
    return address.port or PORTS.get(address.scheme)
