#!/bin/sh
# Run one step of a target: say what it is, and how long it took.
#     sh tools/timed.sh "Debian packages" sh tools/debian-packages.sh
# $STARTED, if make has set it, is when the target began, in seconds of `date +%s`.
set -u

step=$1
shift
began=$(date +%s)
printf '==> %s\n' "$step" >&2
status=0
"$@" || status=$?
now=$(date +%s)
printf '==> %s: %d s (%d s since the start)\n' \
    "$step" $((now - began)) $((now - ${STARTED:-$began})) >&2
exit $status
