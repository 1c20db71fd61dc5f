#!/bin/sh
# Makes .venv with the exact versions of constraints.txt, and sees to the system's libraries.
# usage: install.sh live|test
set -eu
what=$1
python=${PYTHON:-python3}

# Runtime: PortAudio, PulseAudio's client, OpenGL (Mesa draws where there is no graphics driver), X11.
# Tests: real sound, MIDI and display servers in software.
packages="libportaudio2 libpulse0 libasound2 libgl1 libegl1 libegl-mesa0 libgl1-mesa-dri libopengl0 libx11-6 libxcursor1 libxrandr2 libxi6 libxinerama1 libxkbcommon0"
[ "$what" = test ] && packages="$packages pulseaudio pulseaudio-utils libasound2-plugins jackd2 xvfb xdotool liblo-tools srt-tools x11-xkb-utils x11-utils x11-xserver-utils openbox metacity xserver-xorg-core xserver-xorg-video-dummy"

if command -v dpkg-query >/dev/null 2>&1; then
    missing=
    for package in $packages; do
        case "$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)" in
            "install ok installed") ;;
            *) missing="$missing $package" ;;
        esac
    done
    if [ -n "$missing" ]; then
        install="apt-get install -y --no-install-recommends$missing"
        if [ "$(id -u)" = 0 ]; then
            echo "Installing system libraries:$missing"
            apt-get update -qq
            DEBIAN_FRONTEND=noninteractive $install >/dev/null
        elif sudo -n true 2>/dev/null; then
            echo "Installing system libraries with sudo:$missing"
            sudo apt-get update -qq
            sudo DEBIAN_FRONTEND=noninteractive $install >/dev/null
        else
            echo "Some system libraries are missing. Run this once, then make again:"
            echo "    sudo $install"
            [ "$what" = test ] && exit 1
        fi
    fi
fi

"$python" - <<'END' || { echo "lavlive needs Python 3.11 or later; name one with make PYTHON=python3.12 $what"; exit 1; }
import sys
sys.exit(sys.version_info < (3, 11))
END

[ -x .venv/bin/python ] || "$python" -m venv .venv || { echo "Could not make .venv; on Debian: apt-get install python3-venv"; exit 1; }
extras=
[ "$what" = test ] && extras="[dev]"
cuda=
if [ "$(uname -s)" = Linux ] && [ ! -e /proc/driver/nvidia/version ]; then
    # Without an NVIDIA card torch for the CPU is enough; what the usual index has brings CUDA along.
    .venv/bin/python -c "import torch" 2>/dev/null ||
        .venv/bin/python -m pip install --quiet --disable-pip-version-check --retries 1 --no-deps -c constraints.txt \
            torch --index-url https://download.pytorch.org/whl/cpu 2>/dev/null || cuda=" and, for want of torch for the CPU alone, some 6 GB"
fi
echo "Installing lavlive$extras into .venv (once; some minutes, 1.5 GB$cuda)"
.venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".$extras"
touch ".venv/.$what"
[ "$what" = test ] && touch .venv/.live
exit 0
