"""What the meters of the four failure signatures say, and the failure that they name.

The paper's signatures: static output, jitter, lag, glitches. The engine measures (`latent.diagnosis`), the
stage shows and names; this module is what both share. Pure numbers: no torch, no clock.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Signs:
    """The meters at one hop; float64 [3] each for coarse, middle and fine unless said otherwise.

    Attributes:
        diversity: spread of w+ over the last 10 s (standard deviation over time, root mean square over the
            512 dimensions), in W_std.
        jitter: root mean square of w+'s motion above 8 Hz over the last 2 s, in W_std.
        jitter_share: the share of the last 10 s' variance that lies above 8 Hz, 0 to 1.
        lag: delay of the group's smoothing, in seconds.
        onset_lag: measured delay from onsets to the group's motion, in seconds; NaN where the motion does
            not follow onsets clearly enough to tell.
        onset_correlation: the correlation at that delay, -1 to 1.
        strangeness: share of the model's own w that lie nearer to W_mean (Mahalanobis), 0 to 1; NaN while
            no model is known.
        distance: the same distance as a multiple of the one that 99 of 100 of the model's own w stay
            within; NaN while no model is known.
        picture_change: mean change of a pixel from one picture to the next, in L* (0 to 100), one number.
        picture_lag, picture_correlation: like `onset_lag` and `onset_correlation` for the pictures, with the
            time that it takes to make them; one number each.
        sounding: share of the last 10 s that was not silent, 0 to 1.
        onset: mean onset strength over the last 10 s, 0 to 1.
        heard: seconds that the meters rest on, at most 10.
    """

    diversity: np.ndarray
    jitter: np.ndarray
    jitter_share: np.ndarray
    lag: np.ndarray
    onset_lag: np.ndarray
    onset_correlation: np.ndarray
    strangeness: np.ndarray
    distance: np.ndarray
    picture_change: float
    picture_lag: float
    picture_correlation: float
    sounding: float
    onset: float
    heard: float
