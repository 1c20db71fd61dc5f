"""What a generator's training may choose."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """What the training may choose. Rates are Adam's; half-lives and periods count pictures.

    Attributes:
        adversarial: size of the discriminator's gradient at the pictures, relative to that of likeness.
        warm_up: pictures until it has that size; 0 before half of them. Until then likeness turns from
            colours and layout to details.
        nats: what a code costs, on average; see `RateControl`.
        moments: weight of moment matching beside the discriminator.
        variety: weight of `shared_details` beside likeness.
        drawn: codes that no picture has, per picture of a batch.
        spread: the codes that no picture has are normal with a deviation between these two, half of them in
            the lowest quarter: sound, smoothed, stays at 0.3 to 0.6, and what is not trained there looks
            alike there.
        mixing_share: of them so many have a code of their own for each layer group, the others one for all.
        few_share: in so many steps they lie along a few common directions, as a piece of music moves along
            few; they should differ nevertheless.
        settle: once the generator grows, the blocks that it began with, their averaged weights, and the
            encoder stay as they are. Trained further, the lowest blocks drew a net of lines for all pictures.
    """

    batch: int = 16
    rate_generator: float = 0.005
    rate_encoder: float = 0.001
    rate_discriminator: float = 0.0002
    average_half_life: float = 5000.0
    adversarial: float = 0.5
    warm_up: int = 40_000
    nats: float = 100.0
    moments: float = 0.5
    variety: float = 3.0
    drawn: float = 0.5
    spread: tuple[float, float] = (0.3, 1.15)
    mixing_share: float = 0.5
    few_share: float = 0.5
    settle: bool = True
    seed: int = 0
