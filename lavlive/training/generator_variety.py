"""How much the pictures of a batch share their details, which real pictures do not.

Likeness and discriminator judge one picture at a time. Where a code cannot say where every line goes, the
cheapest answer to both is one set of lines for all pictures, lit here and there; it is seen at once, above
all when pictures move. So details are compared across the batch: in each band of a Laplacian pyramid
(Burt and Adelson 1983), with the local contrast taken out, no two pictures should correlate.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_EPSILON = 1e-3
_COARSEST = 4
_REACH = 4


def shared_details(pictures: Tensor) -> Tensor:
    """Mean squared correlation between the details of pictures [N, 3, R, R], in bands down to 8²; 0 to 1."""
    found = []
    fine = pictures
    while fine.shape[-1] > _COARSEST:
        coarse = F.avg_pool2d(fine, 2)
        band = fine - F.interpolate(coarse, size=fine.shape[-2:], mode="bilinear")
        side = 2 * _REACH + 1
        energy = F.avg_pool2d(band.square().mean(1, keepdim=True), side, 1, _REACH, count_include_pad=False)
        found.append(_shared((band / (energy + _EPSILON).sqrt()).flatten(1)))
        fine = coarse
    return torch.stack(found).mean()


def _shared(rows: Tensor) -> Tensor:
    rows = F.normalize(rows - rows.mean(1, keepdim=True), dim=1)
    count = len(rows)
    others = 1 - torch.eye(count, device=rows.device)
    return ((rows @ rows.T).square() * others).sum() / max(count * (count - 1), 1)
