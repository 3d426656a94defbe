#!/bin/sh
# Installs what PyPI does not have, when it is missing and we are root; otherwise says in one sentence what is missing.
# `sh tools/system.sh peer` looks at what a peer needs alone, and leaves browsers and encoders to the tests.
# It must not stop the build: `goop2 doctor` reports what a peer does without, and tests without a browser or an encoder skip by name.
set -u

# Encoders of audio for tests, and sox to check them with: 5 MB, where ffmpeg and what it wants are 160.
ENCODERS="sox lame flac oggenc opusenc"

has_libseccomp() { [ "$(uname)" != Linux ] || ${PYTHON:-python3} -c 'import ctypes; ctypes.CDLL("libseccomp.so.2")' 2>/dev/null; }
has_browser() { command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null
has_shell() { command -v chromium-headless-shell; } >/dev/null
has_encoders() { for program in $ENCODERS; do command -v "$program" || return 1; done; } >/dev/null
has_namespaces() { [ "$(uname)" != Linux ] || { command -v ip && command -v nft; }; } >/dev/null
has_firefox() { command -v firefox-esr; } >/dev/null
has_webkit() { command -v WebKitWebDriver && command -v Xvfb; } >/dev/null

install() {
    # shellcheck disable=SC2086 # names without blanks, one word each
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 install -y --no-install-recommends $1 >/dev/null
}

wanted=
has_libseccomp || wanted="$wanted libseccomp2"
if [ "${1:-}" = peer ]; then
    # shellcheck disable=SC2317 # they are called below
    has_browser() { :; }; has_shell() { :; }; has_encoders() { :; }; has_namespaces() { :; }; has_firefox() { :; }; has_webkit() { :; }
fi
has_browser || wanted="$wanted chromium"
has_encoders || wanted="$wanted sox libsox-fmt-mp3 lame flac vorbis-tools opus-tools"
has_namespaces || wanted="$wanted iproute2 nftables"
# These are apart: where a system has one of them not, the others come all the same.
shell=
has_shell || shell="chromium-headless-shell"
firefox=
has_firefox || firefox="firefox-esr"
webkit=
has_webkit || webkit="webkit2gtk-driver xvfb"
[ -n "$wanted$shell$firefox$webkit" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get -qq update >/dev/null
    for packages in "$wanted" "$shell" "$firefox" "$webkit"; do
        [ -z "$packages" ] || install "$packages"
    done
fi
has_libseccomp || echo "libseccomp is missing, so workers run without their system-call filter: install libseccomp2 with your package manager." >&2
has_browser || echo "Chromium is missing, so the browser tests are skipped: install chromium with your package manager." >&2
has_shell || echo "The headless shell of Chromium is missing, so browser tests take three times as long: install chromium-headless-shell with your package manager." >&2
has_encoders || echo "One of $ENCODERS is missing, so tests of some audio formats are skipped: install sox, lame, flac, vorbis-tools and opus-tools with your package manager." >&2
has_namespaces || echo "ip or nft is missing, so the tests with routers between machines are skipped: install iproute2 and nftables with your package manager." >&2
has_firefox || echo "Firefox ESR is missing, so its tests are skipped: install firefox-esr with your package manager." >&2
has_webkit || echo "WebKitGTK's driver or Xvfb is missing, so the tests in WebKit are skipped: install webkit2gtk-driver and xvfb with your package manager." >&2
exit 0
