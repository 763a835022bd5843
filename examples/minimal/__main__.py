"""Start the site and its worker: ``python -m examples.minimal [address]``."""

from __future__ import annotations

import sys
from pathlib import Path

from examples.launcher import Failed, Launcher, Stop

VAR = Path(__file__).parent / "var"
MANAGE = [sys.executable, "-m", "examples.minimal.manage"]
WORKER = [sys.executable, "-m", "celery", "-A", "examples.minimal.site", "worker", "-c", "2"]


def main() -> None:
    address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8000"
    try:
        with Launcher(VAR / "site.log") as launcher:
            launcher.run("migrate", [*MANAGE, "migrate"])
            worker = launcher.start("worker", [*WORKER, "--loglevel", "INFO"])
            site = launcher.start("site", [*MANAGE, "runserver", "--noreload", address])
            site.wait_for("Quit the server")
            worker.wait_for("ready.")
            print(f"The smallest example: http://{address}/   Ctrl-C ends it.", flush=True)
            launcher.wait()
    except Stop:
        print("\nStopped.")
    except Failed as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
