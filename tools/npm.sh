#!/bin/sh
# Install what package-lock.json names, unless that has been done since it last changed.
# Node comes with the tests' Python packages; another one on the PATH will do as well.
set -eu

mark=node_modules/.unreachable
[ node_modules/.package-lock.json -nt package-lock.json ] && exit 0
if ! command -v npm >/dev/null; then
    echo "No npm: what needs its packages is left out." >&2
    exit 0
fi
# An npm that pip brought looks for the machine's settings beside itself.
if [ -z "${npm_config_globalconfig:-}" ] && [ -f /etc/npmrc ]; then
    export npm_config_globalconfig=/etc/npmrc
fi
if npm ci --silent; then
    rm -f "$mark"
else
    # Whoever only wants to run the other tests needs no network.
    mkdir -p node_modules
    touch "$mark"
    echo "npm could not install its packages: tests that need them will be skipped." >&2
fi
