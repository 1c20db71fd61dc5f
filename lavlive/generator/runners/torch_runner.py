"""The runner that always works: torch, eagerly, on the CPU or on Apple's GPU; a StyleGAN3 on NVIDIA's, too.

StyleGAN3 on an NVIDIA GPU was never run by us.
"""

from __future__ import annotations

import torch

from lavlive.errors import RunnerError
from lavlive.generator.bends import Bends
from lavlive.generator.runners.alias_free_plan import AliasFreePlan
from lavlive.generator.runners.base import MadeOf, Pixels, WPlus
from lavlive.generator.runners.plan import Plan
from lavlive.generator.runners.planned import PlannedSynthesis
from lavlive.generator.runners.planned_alias_free import PlannedAliasFree


class TorchRunner:
    """Pictures by torch in float32, weights constant, channels last.

    Args:
        device: ``cpu`` or ``mps``; ``cuda`` for what its own runner is not made for, without its graphs.
        threads: how many the owner thread's operators may use; None leaves torch's setting.
    """

    def __init__(self, plan: Plan | AliasFreePlan, device: str = "cpu", threads: int | None = None) -> None:
        if device == "mps" and not torch.backends.mps.is_available():
            raise RunnerError("This machine has no Apple GPU that torch can use; try: --runner auto")
        self.name = "torch" if device == "cpu" else device
        self.height, self.width = plan.height, plan.width
        self.num_ws, self.w_dim = plan.num_ws, plan.w_dim
        self._device = torch.device(device)
        self._threads = threads
        made = PlannedAliasFree(plan) if isinstance(plan, AliasFreePlan) else PlannedSynthesis(plan)
        self._synthesis: PlannedSynthesis | PlannedAliasFree | None = made.to(self._device)
        self._noise = torch.ones((), device=self._device)
        self._w_plus = torch.zeros((plan.num_ws, plan.w_dim), device=self._device)
        self._pixels = torch.zeros((), dtype=torch.uint8)
        self._made_of = MadeOf()

    def picture_into(self, w_plus: WPlus, noise: float, out: Pixels, bends: Bends = ()) -> None:
        """See ``Runner``."""
        assert self._synthesis is not None, "the runner is closed"
        if self._threads is not None:
            # OpenMP keeps this per calling thread, so another runner's thread is not touched.
            torch.set_num_threads(self._threads)
        with torch.inference_mode():
            if self._made_of.differs(w_plus, noise, bends):
                self._w_plus.copy_(torch.from_numpy(w_plus))
                self._noise.fill_(noise)
                self._pixels = self._synthesis(self._w_plus, self._noise, bends)
            torch.from_numpy(out).copy_(self._pixels)

    def prepare_bends(self) -> None:
        """See ``Runner``; nothing is needed."""

    def close(self) -> None:
        """See ``Runner``."""
        self._synthesis = None
