#!/bin/sh
# The show on the demo track. Without a display: 20 seconds of it, recorded.
set -eu
if [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] || [ "$(uname)" = Darwin ]; then
    exec .venv/bin/lavlive live --demo "$@"
fi
rm -f lavlive-demo.mp4
.venv/bin/lavlive live --demo --headless --seconds 20 --record lavlive-demo.mp4 "$@"
echo "No display here: the first 20 seconds are in lavlive-demo.mp4"
