"""The ``encodec`` package without torchaudio.

``import encodec`` imports torchaudio, whose native library does not load beside every torch, although
nothing that an encoder does needs it. Here a stand-in takes torchaudio's place during that one import.
It is no fake: whoever uses it later gets the real torchaudio, or the real reason why there is none.
"""

from __future__ import annotations

import importlib
import sys
import threading
import warnings
from types import ModuleType
from typing import Any

from torch import nn

from lavlive.errors import EncoderError

_IMPORTING = threading.Lock()


class _ImportedWhenUsed(ModuleType):
    """A module that imports the real one of its name at the first use of an attribute."""

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__"):
            # Python itself looks for these while it imports: that is no use of the module.
            raise AttributeError(attribute)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), attribute)


def encodec_modules() -> ModuleType:
    """``encodec.modules``, imported without torchaudio.

    Raises EncoderError when the package is missing.
    """
    with _IMPORTING:
        stand_in = None
        if "encodec" not in sys.modules and "torchaudio" not in sys.modules:
            stand_in = sys.modules["torchaudio"] = _ImportedWhenUsed("torchaudio")
        try:
            return importlib.import_module("encodec.modules")
        except ImportError as error:
            raise EncoderError(
                f"the encodec package cannot be imported ({error}): pip install encodec"
            ) from error
        finally:
            if stand_in is not None and sys.modules.get("torchaudio") is stand_in:
                del sys.modules["torchaudio"]


def build_seanet_encoder(**hyperparameters: Any) -> nn.Module:
    """A ``SEANetEncoder`` of the ``encodec`` package, without its warnings of deprecated torch functions."""
    modules = encodec_modules()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        encoder = modules.SEANetEncoder(**hyperparameters)
    if not isinstance(encoder, nn.Module):
        raise EncoderError("the encodec package's SEANetEncoder is no torch module: another version?")
    return encoder
