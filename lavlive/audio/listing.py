"""The devices that sound can come from, listed in a process of its own: drivers may be slow, hang or crash.

python -m lavlive.audio.listing      prints them as a line of JSON
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading

from lavlive.audio.spec import SourceSpec

_SECONDS = 15.0


class DeviceList:
    """Inputs and loopbacks to choose from; nothing here waits.

    Attributes:
        sources: from what a performer reads to what is to be listened to, as of the last look.
        looking: whether a look is under way.
    """

    def __init__(self) -> None:
        self.sources: dict[str, SourceSpec] = {}
        self.looking = False

    def look(self) -> None:
        """Look for devices anew; `sources` has them when that is done."""
        if not self.looking:
            self.looking = True
            threading.Thread(target=self._look, name="device listing", daemon=True).start()

    def _look(self) -> None:
        command = [sys.executable, "-m", "lavlive.audio.listing"]
        try:
            ran = subprocess.run(
                command, capture_output=True, text=True, timeout=_SECONDS, stdin=subprocess.DEVNULL
            )
            found = json.loads(ran.stdout)
            self.sources = {label: SourceSpec(kind, name) for label, kind, name in found}
        except (OSError, subprocess.SubprocessError, ValueError, TypeError):
            # A driver that crashes or hangs leaves the list as it was.
            pass
        finally:
            self.looking = False


def main() -> int:
    """Print label, kind and name of every device."""
    from lavlive.audio.devices import list_inputs, list_loopbacks

    found = [
        (f"{words}: {device.name}", device.kind, device.id)
        for words, listing in (("input", list_inputs()), ("loopback", list_loopbacks()))
        for device in listing.devices
    ]
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
