"""What a running show tells the phones that play it; where there are none, nothing is looked up."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lavlive.control.remote.desk import Look, Meters, alarm_of, sound_of

if TYPE_CHECKING:
    from lavlive.show.show import Show


def tell_phones(show: Show, now: float) -> None:
    """Tell phones how everything stands, if that is due; and the terminal where a phone finds the show.

    The terminal alone: a line that holds the key must never come near the picture.
    """
    control, remote = show.control, show.control.remote
    for url in remote.new_urls():
        show.notices.explain([f"Remote for phones: {url}"])
    if not remote.due(now):
        return

    def meters(tick: int) -> Meters:
        number = show.link.number
        level = number("audio.level")
        beat = control.beat(now)
        return Meters(
            pictures=round(number("picture.rate"), 1),
            level=round(20 * math.log10(max(level, 1e-3)), 1),
            sound=sound_of(
                level, number("audio.peak"), number("audio.silent") > 0, number("audio.too_quiet") > 0
            ),
            bpm=round(beat.bpm, 1) if beat.known else 0.0,
            tick=tick,
        )

    look = Look(
        preset=control.looks.preset,
        ends=control.looks.fader_ends,
        waiting=tuple(str(action) for action in control.waiting),
        model=show.model_name,
        loading=show.model_is_loading,
        alarm=alarm_of(show.notices.badge(now)),
    )
    remote.tell(now, control.values, control.looks.library.names(), look, meters)
