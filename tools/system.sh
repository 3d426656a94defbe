#!/bin/sh
# Installs the system library the wall uses when it is missing and we are root; otherwise says in one sentence what is missing.
# It must not stop the build: `goop2 doctor` reports what a peer does without.
set -u
[ "$(uname)" = Linux ] || exit 0
${PYTHON:-python3} -c 'import ctypes; ctypes.CDLL("libseccomp.so.2")' 2>/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    { apt-get -qq update && apt-get -qq install -y --no-install-recommends libseccomp2; } >/dev/null && exit 0
fi
echo "libseccomp is missing, so workers run without their system-call filter: install libseccomp2 with your package manager." >&2
