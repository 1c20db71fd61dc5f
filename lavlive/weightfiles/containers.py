"""What a file is, by its first bytes."""

from __future__ import annotations

from lavlive.errors import CheckpointError
from lavlive.weightfiles.torchfile import LEGACY_MAGIC
from lavlive.weightfiles.window import Window

# First bytes of what is met under the name of a model.
_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs", "a git-lfs pointer: the model itself was not downloaded; run git lfs pull"),
    (b"\x89PNG", "a picture (PNG)"),
    (b"\xff\xd8\xff", "a picture (JPEG)"),
    (b"GIF8", "a picture (GIF)"),
    (b"RIFF", "a sound, picture or video file (RIFF)"),
    (b"%PDF", "a PDF document"),
    (b"\x89HDF", "an HDF5 file, as Keras writes them, not StyleGAN2"),
    (b"GGUF", "a language model (GGUF)"),
    (b"\x93NUMPY", "a numpy array"),
    (b"\x1f\x8b", "packed with gzip; unpack it first"),
    (b"7z\xbc\xaf", "a 7-Zip archive; unpack it first"),
    (b"Rar!", "a RAR archive; unpack it first"),
    (b"BZh", "packed with bzip2; unpack it first"),
    (b"\xfd7zXZ", "packed with xz; unpack it first"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
)


def container(window: Window) -> str:
    """``safetensors``, ``zip``, ``legacy`` or ``pickle``.

    Raises CheckpointError that names what else it is.
    """
    if window.length == 0:
        raise CheckpointError("empty; the download may have failed")
    head = window.part(0, min(window.length, 1024)).content(1024)
    for beginning, what in _BEGINNINGS:
        if head.startswith(beginning):
            raise CheckpointError(what)
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype", b"<html", b"<head", b"<?xml", b"<!--", b"<script")):
        raise CheckpointError(
            "a web page (HTML), not a model; the site may want you to log in or to confirm first"
        )
    if head[257:262] == b"ustar":
        raise CheckpointError("a tar archive; unpack it first")
    if head.startswith(b"PK"):
        return "zip"
    if head.startswith(LEGACY_MAGIC):
        return "legacy"
    if head[8:9] == b"{" and head[6:8] == b"\0\0":
        return "safetensors"
    if head[:1] == b"\x80" or head[:1] in (b"(", b"c", b"]", b"}"):
        return "pickle"
    if text.startswith((b"{", b"[")):
        raise CheckpointError("a text file (JSON), not a model")
    raise CheckpointError(
        "no kind of file that lavlive knows; it reads .pkl, .pt, .th, .bin and .safetensors"
    )
