#!/bin/sh
# Install what debian-packages.txt lists, when this is root on Debian; otherwise say what is missing.
set -eu

packages=$(sed 's/#.*//' debian-packages.txt)

if ! command -v dpkg-query >/dev/null; then
    # Somebody else's package manager: the tests look for the programs themselves.
    echo "Not on Debian: tests whose programs are missing will be skipped." >&2
    exit 0
fi

missing=
for package in $packages; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    if [ "$status" != installed ]; then
        missing="$missing $package"
    fi
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    echo "Installing$missing ..." >&2
    # The tests start servers of their own: no package shall start its service.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap 'rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
    fi
    apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >/dev/null
else
    echo "Tests that need these will be skipped. To run them, too:" >&2
    echo "    sudo apt-get install$missing" >&2
fi
