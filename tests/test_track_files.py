"""Files of every kind, whole and broken: all the sound that is in them, and the true number of samples."""

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from lavlive.audio.channels import Pick, stereo_mix, to_stereo
from lavlive.audio.tracks import ResampledTrack, Track
from lavlive.errors import SourceError
from tests.support.sound_files import encode, in_the_centre

RATE = 44_100


def notes(seconds: float, rate: int = RATE) -> np.ndarray:
    """Stereo notes that never repeat, so that any stretch of them has one place only."""
    times = np.arange(round(seconds * rate)) / rate
    left = 0.4 * np.sin(2 * np.pi * (200 + 40 * times) * times)
    return np.stack([left, 0.4 * np.sin(2 * np.pi * (300 + 70 * times) * times)], axis=1).astype(np.float32)


def all_of(path: Path, piece: int = 3001) -> np.ndarray:
    with Track(path) as track:
        pieces = [block.samples for block in track.blocks(piece)]
        assert sum(map(len, pieces)) == track.frames
    return np.concatenate(pieces)


@pytest.mark.parametrize(
    ("name", "codec", "longest_padding"),
    [
        ("a.m4a", "aac", 0),
        ("a.m4a", "alac", 0),
        ("a.mov", "pcm_s16le", 0),
        ("a.mp4", "aac", 0),
        ("a.mkv", "aac", 1024),
        ("a.aac", "aac", 2048),
        ("a.wma", "wmav2", 4096),
        ("a.ac3", "ac3", 1536),
        ("a.mp3", "libmp3lame", 0),
        ("a.flac", "flac", 0),
    ],
)
def test_every_kind_of_file_gives_its_sound_in_its_place(tmp_path, name, codec, longest_padding):
    sound = notes(1.1)
    pictures = name.endswith((".mp4", ".mkv", ".mov"))
    decoded = all_of(encode(tmp_path / name, sound, RATE, codec, with_pictures=pictures))
    # ffmpeg's decoder for wma leaves out a frame more in front than its encoder puts there.
    shortest = -2048 if codec == "wmav2" else 0
    assert shortest <= len(decoded) - len(sound) <= longest_padding
    # Codecs in files that do not tell how much they put in front begin a little late.
    shifts = range(shortest, longest_padding + 1, 32)
    late = min(shifts, key=lambda shift: _distance(decoded, sound, shift))
    assert _distance(decoded, sound, late) < 0.03
    assert late == 0 or name in ("a.aac", "a.wma", "a.ac3")


def _distance(decoded: np.ndarray, sound: np.ndarray, shift: int) -> float:
    middle = slice(6000, len(sound) - 10_000)
    moved = decoded[6000 + shift : len(sound) - 10_000 + shift]
    return float(np.sqrt(np.mean((moved - sound[middle]) ** 2)))


def test_opus_in_mp4_is_heard_at_its_own_rate(tmp_path):
    sound = notes(1.0, 48_000)
    decoded = all_of(encode(tmp_path / "a.mp4", sound, 48_000, "libopus"))
    assert len(decoded) == pytest.approx(len(sound), abs=48), "an mp4 counts in milliseconds here"
    assert np.sqrt(np.mean((decoded[6000:40_000] - sound[6000:40_000]) ** 2)) < 0.05


def test_an_mp3_without_a_table_of_contents_plays_to_its_end(tmp_path):
    sound = notes(6.0)
    path = encode(tmp_path / "a.mp3", sound, RATE, "libmp3lame", muxer={"write_xing": "0"})
    assert len(all_of(path)) == pytest.approx(len(sound), abs=3 * 1152)
    # What a stream leaves: it begins in the middle of a frame.
    path.write_bytes(path.read_bytes()[1000:])
    assert len(all_of(path)) == pytest.approx(len(sound), abs=8 * 1152)


@pytest.mark.parametrize("length", [0, 0xFFFFFFFF, 10**9])
def test_a_wav_whose_length_was_never_written_plays_whole(tmp_path, length):
    path, sound = tmp_path / "a.wav", notes(0.5)
    soundfile.write(path, sound, RATE)
    data = bytearray(path.read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = struct.pack("<I", length)
    data[4:8] = struct.pack("<I", min(length, 0xFFFFFFFF))
    path.write_bytes(data)
    np.testing.assert_allclose(all_of(path), sound, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.wav", "pcm_s16le"),
        ("a.mp3", "libmp3lame"),
        ("a.flac", "flac"),
        ("a.mkv", "aac"),
        ("a.aac", "aac"),
        ("a.wma", "wmav2"),
    ],
)
def test_a_file_that_was_cut_short_gives_all_that_is_left_and_counts_it(tmp_path, name, codec):
    path, sound = tmp_path / name, notes(3.0)
    encode(path, sound, RATE, codec)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    decoded = all_of(path)
    assert 0.4 * len(sound) < len(decoded) < 0.6 * len(sound)
    assert np.isfinite(decoded).all()


def test_damage_in_the_middle_is_left_out_and_the_track_goes_on(tmp_path):
    path, sound = tmp_path / "a.mp3", notes(3.0)
    encode(path, sound, RATE, "libmp3lame")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = np.random.default_rng(1).bytes(3000)
    path.write_bytes(data)
    decoded = all_of(path)
    assert len(decoded) > 0.85 * len(sound)
    assert _likeness(sound[:, 0], decoded[10_000:30_000, 0]) > 0.99
    assert _likeness(sound[:, 0], decoded[-30_000:-10_000, 0]) > 0.99


def _likeness(sound: np.ndarray, stretch: np.ndarray) -> float:
    """The largest correlation of a stretch with any part of the sound as long as it."""
    size = 1 << len(sound).bit_length()
    product = np.fft.irfft(np.fft.rfft(sound, size) * np.conj(np.fft.rfft(stretch, size)), size)
    best = int(product[: len(sound) - len(stretch)].argmax())
    return float(product[best] / np.linalg.norm(stretch) / np.linalg.norm(sound[best : best + len(stretch)]))


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp3", "libmp3lame"), ("a.m4a", "aac"), ("a.wav", "pcm_s16le")]
)
def test_a_track_is_sought_in_to_the_sample(tmp_path, name, codec):
    path = encode(tmp_path / name, notes(1.0), RATE, codec)
    whole = all_of(path)
    with Track(path) as track:
        for at in (30_000, 12_345, 12_346, 0, 40_000):
            track.seek(at)
            np.testing.assert_array_equal(track.read(2000), whole[at : at + 2000])
        track.seek(10**7)
        assert len(track.read(1)) == 0


def test_a_resampled_track_is_sought_in_too(tmp_path):
    soundfile.write(tmp_path / "a.wav", notes(1.0), RATE, subtype="FLOAT")
    with ResampledTrack(tmp_path / "a.wav", 48_000) as track:
        assert track.frames == 48_000
        whole = track.read(48_000)
        track.seek(24_000)
        assert np.abs(track.read(4000)[1000:] - whole[25_000:28_000]).max() < 2e-3


def test_tags_in_an_unknown_alphabet_are_no_reason_to_refuse_a_track(tmp_path):
    path = encode(tmp_path / "a.mp3", notes(0.5), RATE, "libmp3lame", metadata={"title": "Musik"})
    path.write_bytes(path.read_bytes().replace(b"Musik", b"M\xfcsik"))
    assert len(all_of(path)) == len(notes(0.5))


def test_a_playlist_is_not_followed(tmp_path):
    soundfile.write(tmp_path / "secret.wav", notes(0.2), RATE)
    for text in ("#EXTM3U\n#EXTINF:1,\nsecret.wav\n", "ffconcat version 1.0\nfile secret.wav\n"):
        (tmp_path / "list.mp3").write_text(text)
        with pytest.raises(SourceError, match="is not a sound file"):
            Track(tmp_path / "list.mp3")


def test_a_film_without_sound_is_refused(tmp_path):
    import av

    with av.open(str(tmp_path / "film.mp4"), "w") as out:
        video = out.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        for _ in range(5):
            out.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))))
        out.mux(video.encode(None))
    with pytest.raises(SourceError, match="is not a sound file"):
        Track(tmp_path / "film.mp4")


@pytest.mark.parametrize(("name", "codec"), [("a.wav", "pcm_s16le"), ("a.flac", "flac"), ("a.m4a", "aac")])
def test_the_centre_of_surround_sound_is_heard_on_both_sides(tmp_path, name, codec):
    mono = notes(0.5)[:, 0]
    path = encode(tmp_path / name, in_the_centre(mono), RATE, codec, layout="5.1")
    with Track(path) as track:
        assert (track.channels, set(track.layout)) == (6, {"FL", "FR", "FC", "LFE", "BL", "BR"})
        block = next(track.blocks(len(mono)))
    stereo = block.mixed()
    assert stereo.shape == (len(block.samples), 2)
    expected = np.sqrt(0.5) / (1 + np.sqrt(2)) * mono
    for side in stereo.T:
        assert np.sqrt(np.mean((side - expected[: len(side)])[3000:-3000] ** 2)) < 0.02


def test_surround_is_mixed_by_the_standard_coefficients():
    names = ("FL", "FR", "FC", "LFE", "SL", "SR")
    mix = stereo_mix(names, 6) * (1 + np.sqrt(2))
    half = np.sqrt(0.5)
    np.testing.assert_allclose(mix[:, 0], [1, 0, half, 0, half, 0], atol=1e-6)
    np.testing.assert_allclose(mix[:, 1], [0, 1, half, 0, 0, half], atol=1e-6)
    loud = np.ones((10, 6), np.float32)
    assert to_stereo(loud, names).max() <= 1.0 + 1e-6
    np.testing.assert_array_equal(stereo_mix((), 2), np.eye(2))
    np.testing.assert_array_equal(stereo_mix((), 5), np.full((5, 2), np.float32(0.2)))


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("all", [[1, 2]]),
        ("left", [[1]]),
        ("RIGHT", [[2]]),
        ("mid", [[1.5]]),
        ("side", [[-0.5]]),
        (" 2 ", [[2]]),
        ("2,1", [[2, 1]]),
        ("1,2,1", [[4 / 3]]),
    ],
)
def test_channels_are_picked_by_word_or_number(text, heard):
    mix = Pick.parse(text).mix((), 2)
    np.testing.assert_allclose(np.array([[1, 2]], np.float32) @ mix, heard, rtol=1e-6)


@pytest.mark.parametrize("text", ["", "both", "0", "33", "1,,2", "3;4", "-1", "²"])
def test_channels_that_mean_nothing_are_refused_with_what_they_may_be(text):
    with pytest.raises(SourceError, match=r"all, left, right, mid, side, or numbers from 1 to 32"):
        Pick.parse(text)
