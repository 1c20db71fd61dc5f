"""What a file is: by its first bytes, by the names inside it, and in words a user knows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from lavlive.errors import CheckpointError
from lavlive.generator.readers import nvidia, rosinality, tensorflow
from lavlive.generator.readers.conversion import Conversion
from lavlive.weightfiles.containers import container
from lavlive.weightfiles.machine import Budget, Refused
from lavlive.weightfiles.names import ModuleState, TensorflowNetwork
from lavlive.weightfiles.safetensorsfile import read_header
from lavlive.weightfiles.torchfile import list_zip, read_legacy, read_pickle, read_zip
from lavlive.weightfiles.window import Window

_SEARCH_LIMIT = 256 << 20

# Names inside a file, and whose they are.
_FAMILIES: tuple[tuple[str, str], ...] = (
    (
        r"(model\.diffusion_model|first_stage_model|cond_stage_model|alphas_cumprod|(unet\.)?(down_blocks|mid_block)\."
        r"|time_embed(ding)?\.|double_blocks\.|transformer_blocks\.)",
        "a diffusion model's checkpoint, which makes pictures in another way; lavlive plays StyleGAN2",
    ),
    (
        r"(encoder\.model\.\d+\.(conv|block|lstm|shortcut)|encoder\.layers\.\d+\.(conv|block|lstm|shortcut))\.",
        "a neural audio codec (EnCodec), which hears and draws nothing: give it with --encoder",
    ),
    (
        r"((GAN\.)?(GE?|S|SE)\.)?(GE?\.blocks\.\d+\.to_style|GE?\.initial_(block|conv)|blocks\.\d+\.to_style1\.)",
        "a model of lucidrains' stylegan2-pytorch, whose generator is built in another way; lavlive plays "
        "NVIDIA's and rosinality's StyleGAN2",
    ),
    (r"lora_|.*\.lora_", "a LoRA, an addition to a diffusion model; lavlive plays StyleGAN2"),
    (r"(model\.layers|transformer\.h|bert|encoder\.layers?)\.", "a language model; lavlive plays StyleGAN2"),
    (
        r"synthesis\.(input\.|L\d+_)",
        "bare weights of a StyleGAN3 generator without its settings; give the pickle they were taken from",
    ),
    (
        r"synthesis\.b\d+\.",
        "bare weights of NVIDIA's generator without its settings; give the pickle they were taken from",
    ),
    (
        r"(discriminator\.)?(final_conv|final_linear|b4\.out|convs\.0\.0)\.",
        "a discriminator, which judges pictures and makes none",
    ),
    (r"(layer1\.0|fc\.weight|features\.\d+)", "a network that classifies pictures"),
)
_TELLING_BYTES: tuple[tuple[tuple[bytes, ...], str], ...] = (
    ((b"model.diffusion_model.", b"pytorch-lightning_version", b"first_stage_model."), _FAMILIES[0][1]),
    ((b"TriPlaneGenerator", b"ImportanceRenderer"), nvidia.EG3D),
    ((b"SuperresGenerator", b"networks_stylegan3_resetting", b"embed_proj"), nvidia.STYLEGAN_XL),
)


def read_file(path: Path) -> Conversion:
    """The generator in any file that lavlive reads, but for its own format.

    Raises CheckpointError, whose message says what the file is.
    """
    with open(path, "rb") as file:
        window = Window.whole(file)
        kind = container(window)
        if kind == "safetensors":
            raise CheckpointError(_describe(read_header(window)) or _SAFETENSORS)
        readers = {"zip": read_zip, "legacy": read_legacy, "pickle": read_pickle}
        try:
            content = readers[kind](Window.whole(file), Budget())
        except Refused:
            searched = Window.whole(file)
            if kind == "zip":
                searched = next(
                    entry for name, entry in list_zip(searched).items() if name.endswith("data.pkl")
                )
            for needles, what in _TELLING_BYTES:
                if searched.find(needles, _SEARCH_LIMIT):
                    raise CheckpointError(what) from None
            raise
        return _convert(content)


_SAFETENSORS = "a safetensors file of something else than a generator that lavlive wrote or knows"


def is_own(path: Path) -> bool:
    """Whether ``path`` says of itself that lavlive wrote it; whether it is whole, its loader finds out."""
    try:
        with open(path, "rb") as file:
            window = Window.whole(file)
            if window.length < 16 or window.part(8, 1).content(1) != b"{":
                return False
            metadata = read_header(window).get("__metadata__")
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}") from error
    except CheckpointError:
        return False
    return isinstance(metadata, dict) and str(metadata.get("format", "")).startswith("lavlive-generator")


def _convert(content: object) -> Conversion:
    if isinstance(content, tuple | list):
        networks = [network for network in content if isinstance(network, TensorflowNetwork)]
        if networks and len(networks) == len(content):
            return tensorflow.convert(networks[-1])  # (G, D, Gs): the average comes last
    if isinstance(content, TensorflowNetwork):
        return tensorflow.convert(content)
    if isinstance(content, ModuleState):
        return nvidia.convert(content)
    if isinstance(content, dict):
        return _convert_table(content)
    raise CheckpointError("a pickle of something else than a StyleGAN2 generator")


def _convert_table(table: dict[object, object]) -> Conversion:
    averaged = table.get("G_ema")
    if isinstance(averaged, ModuleState):
        return nvidia.convert(averaged)
    if isinstance(averaged, TensorflowNetwork):
        return tensorflow.convert(averaged)
    state = table.get("g_ema")
    if isinstance(state, dict):
        return rosinality.convert(state, table.get("latent_avg"))
    if rosinality.looks_like(table):
        return rosinality.convert(table, table.get("latent_avg"))
    if any(key in table for key in ("G", "g", "generator", "G_state")):
        raise CheckpointError(
            "a training snapshot without the averaged generator (G_ema), which is the one that makes good "
            "pictures; export it with G_ema"
        )
    if any(key in table for key in ("D", "d", "discriminator")):
        raise CheckpointError(
            "a file with a discriminator only, which judges pictures and makes none; find the G_ema"
        )
    names = [str(key) for key in table]
    for value in table.values():
        if isinstance(value, dict):
            names += [str(key) for key in value]
    raise CheckpointError(_describe(names) or "a checkpoint of something else than StyleGAN2")


def _describe(names: Iterable[str]) -> str | None:
    """Whose names these are, where lavlive can tell."""
    known = list(names)[:20_000]
    for pattern, what in _FAMILIES:
        if any(re.match(pattern, name) for name in known):
            return what
    return None
