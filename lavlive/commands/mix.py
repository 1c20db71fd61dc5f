"""``lavlive model mix``: a model of two, with layers of both or with weights between both."""

from __future__ import annotations

from pathlib import Path

import torch

from lavlive.commands.options import ModelMixOptions, text_of
from lavlive.errors import CheckpointError, UsageError
from lavlive.files import same_file
from lavlive.generator.checkpoint import save_generator, stylegan2_of
from lavlive.generator.importing import open_model
from lavlive.generator.mixing import KINSHIP, kinship, mixed, require_one_shape, shares_of
from lavlive.generator.widening import in_one_width
from lavlive.resources import generator_file


def mix(options: ModelMixOptions) -> str:
    """Write the mixture of two models; returns what was done, a line each.

    Raises:
        CheckpointError: no generators, or of different shapes.
        UsageError: nothing is mixed, or the output is one of the models.
    """
    output = Path(options.output)
    files = [generator_file(text_of(each)) for each in (options.model, options.other)]
    for file in files:
        if same_file(output, file):
            raise UsageError(f"{output} is one of the models to be mixed; give another name.")
    one, other = (open_model(file) for file in files)
    names = [
        str(loaded.card.get("name") or file.stem) for loaded, file in zip((one, other), files, strict=True)
    ]
    ours, theirs = in_one_width(stylegan2_of(one), stylegan2_of(other))
    try:
        require_one_shape(ours.config, theirs.config)
    except CheckpointError as reason:
        raise CheckpointError(f"{files[0]} and {files[1]}: {reason}.") from None
    kin = kinship(ours, theirs)
    if options.swapped_from is not None and options.swapped_from not in kin:
        raise UsageError(
            f"--from {options.swapped_from}: these models have layers at {', '.join(map(str, kin))}."
        )
    shares = shares_of(kin, options.blend, options.swapped_from)
    if not any(shares.values()):
        raise UsageError(
            f"Nothing of {names[1]} would be in it; use --from RESOLUTION, or --blend with amounts above 0 "
            "(from 0.5 on where the models have no common ancestor)."
        )
    card = {
        "name": output.stem,
        "trained": bool(one.card.get("trained", True)) and bool(other.card.get("trained", True)),
        "licence": _licence(names, one.card, other.card),
        "mixture": {
            "of": names,
            "hashes": [one.hash, other.hash],
            "shares": {str(resolution): round(share, 6) for resolution, share in shares.items()},
        },
    }
    if "fill" in one.card:
        card["fill"] = one.card["fill"]
    save_generator(output, mixed(ours, theirs, shares), card, torch.float32)
    lines = [f"{output}: W and what is not named of {names[0]}"]
    for resolution, share in shares.items():
        related = "one ancestor" if kin[resolution] >= KINSHIP else "no common ancestor: layers are swapped"
        lines.append(
            f"  {resolution:>4}²  {share:4.0%} {names[1]}   cosine {kin[resolution]:+.3f}, {related}"
        )
    return "\n".join(lines)


def _licence(names: list[str], *cards: dict[str, object]) -> str:
    """Of a mixture: what either model asks for holds."""
    said = [str(card.get("licence", "not said: ask whoever trained it")) for card in cards]
    if said[0] == said[1]:
        return said[0]
    return "; ".join(f"{name}: {licence}" for name, licence in zip(names, said, strict=True))
