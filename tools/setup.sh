#!/bin/sh
# Make the virtual environment $VENV with one extra of setup.cfg: `sh tools/setup.sh demo`.
# With OLDEST=1 it gets the oldest versions that setup.cfg allows.
# Does nothing when that has been done and nothing has changed since.
set -eu

extra=$1
venv=${VENV:-.venv}

say() { printf '%s\n' "$*" >&2; }

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    # What the environment was made with, then python3, then the newest that macOS may have beside it.
    for candidate in "$venv/bin/python" python3 python3.14 python3.13 python3.12 python3.11; do
        if is_new_enough "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    say "monitio needs Python 3.11 or newer, and found none."
    say "Debian: apt-get install python3 python3-venv    macOS: brew install python"
    say "Or name yours: make $extra PYTHON=/path/to/python3"
    exit 1
}

ensure_venv_module() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null && return
    package=$("$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "Installing Debian's $package ..."
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -qq -y "$package" >/dev/null
        return
    fi
    say "This Python has no venv module. Please run:"
    say "    sudo apt-get install $package"
    exit 1
}

if [ -n "${PYTHON:-}" ]; then
    python=$PYTHON
    if ! is_new_enough "$python"; then
        say "PYTHON=$python does not run, or is older than Python 3.11."
        exit 1
    fi
else
    python=$(find_python)
fi
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
# What the environment depends on; a moved checkout needs new paths, too.
wanted="$version $(pwd) $(cat setup.cfg pyproject.toml tools/oldest.py | cksum)"
# The extra of the benchmarks includes that of the tests, which includes the others.
for stamp in "$venv/.stamp-$extra" "$venv/.stamp-bench" "$venv/.stamp-test"; do
    [ "$extra" = bench ] && [ "$stamp" = "$venv/.stamp-test" ] && continue
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
        exit 0
    fi
done

if [ -x "$venv/bin/python" ]; then
    made_with=$("$venv/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' || echo none)
    if [ "$made_with" != "$version" ]; then
        rm -rf "$venv"
    fi
fi
if [ ! -x "$venv/bin/pip" ]; then
    ensure_venv_module "$python"
    say "Creating $venv with Python $version ..."
    "$python" -m venv "$venv"
fi
say "Installing monitio[$extra] into $venv (once) ..."
constraints="$venv/constraints.txt"
if [ -n "${OLDEST:-}" ]; then
    "$venv/bin/python" tools/oldest.py >"$constraints"
else
    : >"$constraints"
fi
"$venv/bin/python" -m pip install -qq --disable-pip-version-check --constraint "$constraints" \
    --editable ".[$extra]"
printf '%s\n' "$wanted" >"$venv/.stamp-$extra"
