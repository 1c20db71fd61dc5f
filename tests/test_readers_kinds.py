"""What is no StyleGAN2 generator is named for what it is, whatever it is called."""

from __future__ import annotations

import io
import os
import pickle
import sys
import types
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from lavlive.errors import CheckpointError
from lavlive.generator import importing
from lavlive.generator.importing import open_model
from lavlive.generator.readers.recognise import read_file
from tests.support.foreign_files import (
    Network,
    Persistent,
    fixture,
    nvidia_module,
    nvidia_pickle,
    rosinality_table,
    tensorflow_pickle,
    their_modules,
    torch_file,
)

torch.set_num_threads(1)


def said_of(content: object, folder: Path, name: str = "network.pkl") -> str:
    """What lavlive says of ``content``: bytes as they are, other things pickled."""
    path = folder / name
    if not isinstance(content, bytes):
        with their_modules():
            content = pickle.dumps(content)
    path.write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        read_file(path)
    return str(caught.value)


def said_of_torch(content: object, folder: Path) -> str:
    """What lavlive says of a file of ``torch.save``."""
    path = torch_file(folder / "model.pt", content)
    with pytest.raises(CheckpointError) as caught:
        read_file(path)
    return str(caught.value)


def test_relatives_of_stylegan2_are_named(tmp_path: Path) -> None:
    """EG3D, StyleGAN-XL and lucidrains' code, by their own names and not by a part of theirs."""
    stranger: Any = types.ModuleType("their_renderer")
    stranger.ImportanceRenderer = type("ImportanceRenderer", (), {"__module__": stranger.__name__})
    sys.modules[stranger.__name__] = stranger
    try:
        volume = Persistent(
            "TriPlaneGenerator", "", {"_modules": {"renderer": stranger.ImportanceRenderer()}}
        )
        assert "EG3D" in said_of({"G_ema": volume}, tmp_path)
    finally:
        del sys.modules[stranger.__name__]
    backbone = Persistent("Generator", "", {"_modules": {}})
    volume = Persistent("TriPlaneGenerator", "", {"_modules": {"backbone": backbone}})
    assert "EG3D" in said_of({"G_ema": volume}, tmp_path)
    large = Persistent("SuperresGenerator", "", {"_modules": {"mapping": backbone}})
    assert "StyleGAN-XL" in said_of({"G_ema": large}, tmp_path)
    # Its synthesis is made of StyleGAN3's own layers, under a mapping of its own.
    alias_free = fixture("sg3-t")
    alias_free.settings["modules"][""]["class_name"] = "SuperresGenerator"
    assert "StyleGAN-XL" in said_of({"G_ema": nvidia_module(alias_free, "")}, tmp_path)
    alias_free.settings["modules"][""]["class_name"] = "Generator"
    alias_free.settings["modules"]["mapping.embed_proj"] = {"class_name": "FullyConnectedLayer"}
    assert "StyleGAN-XL" in said_of({"G_ema": nvidia_module(alias_free, "")}, tmp_path)
    embedding = Persistent("MappingNetwork", "", {"_modules": {"embed": nn.Embedding(2, 2)}})
    large = Persistent("Generator", "class SuperresGenerator: pass", {"_modules": {"mapping": embedding}})
    assert "StyleGAN-XL" in said_of({"G_ema": large}, tmp_path)
    theirs = {"S.net.0.weight": torch.zeros(2, 2), "G.blocks.0.to_style1.weight": torch.zeros(2, 2)}
    assert "lucidrains" in said_of_torch({"GAN": theirs, "version": "1.8"}, tmp_path)
    assert "lucidrains" in said_of_torch(theirs, tmp_path)


def test_an_encoder_is_told_to_be_one(tmp_path: Path) -> None:
    for name in ("encoder.model.0.conv.conv.weight_g", "encoder.layers.0.conv.weight_g"):
        assert "--encoder" in said_of_torch({name: torch.zeros(2, 1, 1)}, tmp_path)
        save_file({name: torch.zeros(2)}, tmp_path / "model.safetensors")
        assert "--encoder" in said_of((tmp_path / "model.safetensors").read_bytes(), tmp_path)


def test_a_model_whose_noise_has_not_the_shape_of_its_constant_is_refused(tmp_path: Path) -> None:
    data = fixture("rosinality")
    data.theirs["input.input"] = torch.zeros(1, 16, 4, 8)
    assert "noise_constant is (4, 4), StyleGAN2 needs (4, 8)" in said_of_torch(
        rosinality_table(data), tmp_path
    )
    data = fixture("ada-skip-classes")
    data.theirs["synthesis.b4.const"] = torch.zeros(16, 1, 4)
    assert "drawn from a constant of 1 × 4" in said_of(nvidia_pickle(data), tmp_path)


def test_what_a_file_cannot_tell_is_said(tmp_path: Path) -> None:
    path = torch_file(tmp_path / "model.pt", rosinality_table(fixture("rosinality")))
    assert any("lr_mlp" in note for note in read_file(path).notes)


def test_a_discriminator_is_named(tmp_path: Path) -> None:
    discriminator = Persistent("Discriminator", "", {"_modules": {}})
    assert "discriminator" in said_of(discriminator, tmp_path)
    assert "discriminator only" in said_of({"D": discriminator}, tmp_path)
    assert "discriminator only" in said_of_torch(
        {"d": {"final_linear.0.weight": torch.zeros(2, 2)}}, tmp_path
    )
    bare = {"convs.0.0.weight": torch.zeros(2, 2), "final_conv.0.weight": torch.zeros(2, 2)}
    assert "discriminator" in said_of_torch(bare, tmp_path)
    variables = [("Output/weight", np.zeros((4, 1), np.float32))]
    tensorflow = Network({"version": 4, "static_kwargs": {}, "components": {}, "variables": variables})
    assert "discriminator" in said_of(tensorflow, tmp_path)


def test_a_snapshot_without_the_average_is_named(tmp_path: Path) -> None:
    generator = nvidia_module(fixture("sg3-resnet-clamp"), "")
    assert "without the averaged generator (G_ema)" in said_of({"G": generator, "D": None}, tmp_path)
    table = rosinality_table(fixture("rosinality"))
    del table["g_ema"]
    assert "without the averaged generator (G_ema)" in said_of_torch(table, tmp_path)


def test_a_diffusion_checkpoint_is_named(tmp_path: Path) -> None:
    weights = {"model.diffusion_model.input_blocks.0.0.weight": torch.zeros(4, 4, 3, 3)}
    assert "diffusion" in said_of_torch({"state_dict": weights}, tmp_path)
    assert "diffusion" in said_of_torch(weights, tmp_path)
    save_file(weights, tmp_path / "model.safetensors")
    assert "diffusion" in said_of((tmp_path / "model.safetensors").read_bytes(), tmp_path)


def test_a_diffusion_checkpoint_with_its_trainers_objects_is_named(tmp_path: Path) -> None:
    """Lightning leaves objects in its files; they are refused, but the user wants to know what it is."""

    class ModelCheckpoint:
        pass

    module: Any = types.ModuleType("lightning_callbacks")
    module.ModelCheckpoint = ModelCheckpoint
    ModelCheckpoint.__module__, ModelCheckpoint.__qualname__ = "lightning_callbacks", "ModelCheckpoint"
    sys.modules["lightning_callbacks"] = module
    try:
        content = {
            "callbacks": [ModelCheckpoint()],
            "state_dict": {"model.diffusion_model.out.weight": torch.zeros(4)},
        }
        assert "diffusion" in said_of_torch(content, tmp_path)
        del content["state_dict"]
        assert "lightning_callbacks.ModelCheckpoint" in said_of_torch(content, tmp_path)
    finally:
        del sys.modules["lightning_callbacks"]


def test_other_safetensors_are_named(tmp_path: Path) -> None:
    for name, words in (
        ("anything.weight", "something else"),
        ("model.layers.0.mlp.weight", "language model"),
        ("lora_unet_down.weight", "LoRA"),
        ("synthesis.b4.conv1.weight", "without its settings"),
        ("synthesis.L0_36_512.weight", "StyleGAN3 generator without its settings"),
        ("layer1.0.conv1.weight", "classifies"),
    ):
        save_file({name: torch.zeros(2)}, tmp_path / "model.safetensors")
        assert words in said_of((tmp_path / "model.safetensors").read_bytes(), tmp_path), name


def test_what_is_no_model_at_all_is_named(tmp_path: Path) -> None:
    npz = io.BytesIO()
    np.savez(npz, a=np.zeros(3))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("network.pkl", b"x")
    for content, words in (
        (b"", "empty"),
        (b"<!DOCTYPE html><html><head><title>Sign in", "web page (HTML)"),
        (b"\n  <html lang=en>", "web page (HTML)"),
        (b'<?xml version="1.0"?><Error>', "web page (HTML)"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
        (b"\x89PNG\r\n\x1a\n", "picture"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"\x89HDF\r\n", "HDF5"),
        (b'{"error": "not found"}', "text file (JSON)"),
        (b"hello", "no kind of file that lavlive knows"),
        (packed.getvalue(), "unpack it first"),
        (npz.getvalue(), "unpack it first"),
        (pickle.dumps([1, 2, 3]), "something else"),
        (pickle.dumps({"epoch": 3}), "something else"),
    ):
        assert words in said_of(content, tmp_path), content[:20]


def test_a_folder_a_pipe_and_nothing_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "cache_folder", lambda: tmp_path)
    with pytest.raises(CheckpointError, match="is a folder"):
        open_model(tmp_path)
    with pytest.raises(CheckpointError, match="No such file"):
        open_model(tmp_path / "nothing.pkl")
    os.mkfifo(tmp_path / "pipe.pkl")
    with pytest.raises(CheckpointError, match="a device or a pipe"):
        open_model(tmp_path / "pipe.pkl")


def test_the_message_begins_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "cache_folder", lambda: tmp_path)
    path = tmp_path / "network.pkl"
    path.write_bytes(b"<html>")
    with pytest.raises(CheckpointError) as caught:
        open_model(path)
    assert str(caught.value).startswith(f"{path}: a web page (HTML)")


def test_an_older_stylegan_is_named(tmp_path: Path) -> None:
    network = Network({"version": 3, "components": {}, "variables": [], "build_func_name": "G_style"})
    assert "StyleGAN (the first)" in said_of((network, network, network), tmp_path)
    network = Network({"version": 4, "components": {}, "variables": [], "build_func_name": "G_paper"})
    assert "G_paper" in said_of((network, network, network), tmp_path)


def test_conditioning_that_we_do_not_have_is_refused(tmp_path: Path) -> None:
    data = fixture("tensorflow-resnet-classes")
    data.theirs["mapping/LabelConcat/weight"] = torch.zeros(3, 24)
    assert "class-conditional" in said_of(tensorflow_pickle(data), tmp_path)


def test_settings_that_we_do_not_have_are_refused(tmp_path: Path) -> None:
    def changed(**change: object) -> str:
        data = fixture("ada-skip-classes")
        for name, value in change.items():
            data.settings["modules"]["synthesis.b4.conv1"][name] = value
        return said_of(nvidia_pickle(data), tmp_path)

    assert "lrelu" in changed(activation="swish")
    assert "clamp" in changed(conv_clamp="high")
    data = fixture("ada-skip-classes")
    data.theirs["synthesis.b8.conv0.resample_filter"] = torch.ones(6, 6) / 36
    assert "6 taps" in said_of(nvidia_pickle(data), tmp_path)
    data.theirs["synthesis.b8.conv0.resample_filter"] = torch.eye(4) / 4
    assert "not separable" in said_of(nvidia_pickle(data), tmp_path)


def test_widths_without_a_rule_are_refused(tmp_path: Path) -> None:
    data = fixture("rosinality")
    data.theirs["convs.2.conv.weight"] = torch.zeros(1, 13, 16, 3, 3)
    assert "widths follow no rule" in said_of_torch(rosinality_table(data), tmp_path)


def test_a_missing_weight_is_named(tmp_path: Path) -> None:
    data = fixture("rosinality")
    table = rosinality_table(data)
    table["g_ema"] = OrderedDict((n, t) for n, t in table["g_ema"].items() if n != "convs.3.activate.bias")
    assert "lacks convs.3.activate.bias" in said_of_torch(table, tmp_path)
