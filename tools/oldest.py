"""Print the oldest versions that setup.cfg allows, as constraints for pip.

Of what monitio and its extras for sites need; the tests' own tools may be new.
"""

from __future__ import annotations

import re
from configparser import ConfigParser
from pathlib import Path

EXTRAS = ("redis", "postgres", "nchan", "mercure", "webhooks", "push", "apprise", "celery")
# Celery 5.4 came with it. Today's kombu refuses the redis-py of that time.
INDIRECT = ("kombu==5.3.4",)
BOUND = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)>=(?P<version>[0-9.]+)$", re.MULTILINE)


def requirements(setup: str) -> list[str]:
    """What sites install: monitio's own requirements and those of its extras."""
    config = ConfigParser()
    config.read_string(setup)
    extras = config["options.extras_require"]
    needed = [config["options"]["install_requires"], *(extras[extra] for extra in EXTRAS)]
    return list(dict.fromkeys("\n".join(needed).split()))


def constraints(setup: str) -> list[str]:
    """``name==version`` for each lower bound. Raises ``ValueError`` for one without."""
    found = []
    for requirement in requirements(setup):
        bound = BOUND.match(requirement)
        if bound is None:
            raise ValueError(f"setup.cfg gives no oldest version of {requirement}.")
        found.append(f"{bound['name']}=={bound['version']}")
    return [*found, *INDIRECT]


if __name__ == "__main__":
    print(*constraints(Path("setup.cfg").read_text()), sep="\n")
