"""Pictures by OpenVINO with bends inside: the graph in pieces, and the bends between them.

    piece 0 ─► features of 8² ─► bends ─► piece 1 ─► features of 16² ─► bends ─► … ─► bytes

What a bend is and how strong can change with every picture, and nothing has to be compiled for it. The pieces
are built when the first bend is used. Features pass from piece to piece where they lie.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino as ov
import torch

from lavlive.generator.bends import RESOLUTIONS, Bends, at
from lavlive.generator.runners.base import WPlus
from lavlive.generator.runners.bending import bent
from lavlive.generator.runners.openvino_graph import Piece, build_pieces
from lavlive.generator.runners.plan import Plan
from lavlive.generator.runners.styles import Styles


class BentGraph:
    """A network in pieces. One thread owns it."""

    def __init__(self, plan: Plan, lanes: int, kernels_change: bool, settings: dict[str, Any]) -> None:
        self._styles = Styles(plan)
        cuts = [index for index, block in enumerate(plan.blocks) if block.resolution in RESOLUTIONS]
        self.pixels = np.zeros((plan.height, plan.width, 3), np.uint8)
        core = ov.Core()
        # OpenVINO reads and writes a piece's arrays where they lie: they are kept as long as its request.
        self._pieces = [
            (self._request(core, piece, settings), piece)
            for piece in build_pieces(plan, self._styles, cuts, lanes, kernels_change, self.pixels)
        ]

    def make(self, w_plus: WPlus, noise: float, bends: Bends) -> None:
        """Make a picture in ``pixels``."""
        self._styles.update(w_plus)
        for request, piece in self._pieces:
            piece.inputs[0].fill(noise)
            request.infer(share_outputs=True)
            here = at(bends, piece.resolution) if piece.features is not None else ()
            if here and piece.features is not None:
                x = torch.from_numpy(piece.features)
                with torch.inference_mode():
                    x.copy_(bent(x, piece.resolution, here))

    @staticmethod
    def _request(core: ov.Core, piece: Piece, settings: dict[str, Any]) -> Any:
        request = core.compile_model(piece.model, "CPU", settings).create_infer_request()
        for index, values in enumerate(piece.inputs):
            request.set_input_tensor(index, ov.Tensor(values, shared_memory=True))
        for index, values in enumerate(piece.outputs):
            request.set_output_tensor(index, ov.Tensor(values, shared_memory=True))
        return request
