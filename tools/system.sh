#!/bin/sh
# Installs what PyPI does not have, when it is missing and we are root; otherwise says in one sentence what is missing.
# It must not stop the build: `goop2 doctor` reports what a peer does without, and tests without a browser skip by name.
set -u
[ "$(uname)" = Linux ] || has_ffmpeg || echo "ffmpeg is missing, so tests of some audio formats are skipped: install ffmpeg with your package manager." >&2
exit 0

has_libseccomp() { ${PYTHON:-python3} -c 'import ctypes; ctypes.CDLL("libseccomp.so.2")' 2>/dev/null; }
has_browser() { command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null
has_ffmpeg() { command -v ffmpeg && command -v ffprobe; } >/dev/null

wanted=
has_libseccomp || wanted="$wanted libseccomp2"
has_browser || wanted="$wanted chromium"
has_ffmpeg || wanted="$wanted ffmpeg"
[ -n "$wanted" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    # shellcheck disable=SC2086 # names without blanks, one word each
    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $wanted; } >/dev/null
fi
has_libseccomp || echo "libseccomp is missing, so workers run without their system-call filter: install libseccomp2 with your package manager." >&2
has_browser || echo "Chromium is missing, so the browser tests are skipped: install chromium with your package manager." >&2
has_ffmpeg || echo "ffmpeg is missing, so tests of some audio formats are skipped: install ffmpeg with your package manager." >&2
exit 0
