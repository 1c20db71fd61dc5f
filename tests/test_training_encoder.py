"""Making an encoder: composing its data, training that resumes, shipping, evaluating, and what goes wrong."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from lavlive.encoder.encodec_package import build_seanet_encoder
from lavlive.encoder.seanet import StreamingEncoder
from lavlive.encoder.weights import load_encoder, read_seanet_encoder, save_encoder
from lavlive.errors import TrainingError, UsageError
from lavlive.training import (
    encoder,
    encoder_data,
    encoder_evaluate,
    encoder_train,
    music_render,
    study_tracks,
)
from lavlive.training.encoder_codec import (
    Codec,
    MelDistance,
    ResidualQuantizer,
    SpectrumProbe,
    contrast_in_time,
    hyperparameters,
    redundancy,
    shipping_encoder,
)
from lavlive.training.encoder_data import SAMPLE_RATE, Segments, Track
from lavlive.training.encoder_decoder import DecoderRun, FrozenCodec, Hearing, frozen_codec_of
from lavlive.training.encoder_metric import fit_metric
from lavlive.training.encoder_train import DecoderRecipe, Recipe, Run, Training
from lavlive.training.music_composer import GENRES, compose

TINY = Recipe(filters=2, steps=4, batch=4, seconds=0.25)
TINY_DECODER = DecoderRecipe(steps=4, batch=2, seconds=0.25)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _music(seconds: float = 3.0, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    tones = sum(np.sin(2 * np.pi * hertz * time) for hertz in rng.uniform(100, 2000, 3))
    return (0.1 * tones + 0.01 * rng.standard_normal(len(time))).astype(np.float32)


@pytest.fixture
def tracks() -> list[Track]:
    return [Track(f"track {seed}", _music(seed=seed)) for seed in range(3)]


@pytest.fixture
def frozen(tmp_path: Path) -> Path:
    """A tiny encoder's file, as one that was shipped long ago."""
    return _ship(tmp_path / "frozen.safetensors", seed=0)


def _ship(path: Path, seed: int) -> Path:
    torch.manual_seed(seed)
    card = {"trained": True, "licence": "MIT", "sample_rate": SAMPLE_RATE}
    save_encoder(path, shipping_encoder(Codec(2).eval()), hyperparameters(2), card)
    return path


def _streaming(path: Path) -> StreamingEncoder:
    return StreamingEncoder(*read_seanet_encoder(path))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    music = tmp_path / "music"
    music.mkdir()
    for seed in range(2):
        soundfile.write(music / f"{seed}.wav", _music(seed=seed), SAMPLE_RATE)
    return music


# Composing


@pytest.mark.parametrize("genre", GENRES)
def test_a_genre_composes_the_same_piece_from_the_same_seed(genre: str) -> None:
    piece = compose(genre, 5)
    assert piece == compose(genre, 5)
    assert piece.parts != compose(genre, 6).parts
    assert 20.0 < piece.seconds < 60.0
    assert piece.sections[0][1] == 0.0
    assert piece.sections[-1][2] == pytest.approx(piece.seconds)
    notes = [note for part in piece.parts for note in part.notes]
    assert len(notes) > 20
    assert all(0 < note.pitch < 128 and 0 < note.velocity < 128 and note.seconds > 0 for note in notes)


def test_a_piece_for_our_own_synthesiser_sounds_without_fluidsynth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    samples = music_render.render(compose("chiptune", 0, seconds=8.0), 8_000)
    assert np.abs(samples).max() <= 0.9
    assert samples.std() > 0.05


def test_midi_without_fluidsynth_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(TrainingError, match="apt install fluidsynth"):
        music_render.render(compose("orchestra", 0))


def test_a_midi_file_holds_every_note_on_and_off() -> None:
    piece = compose("rock", 1)
    content = music_render.midi_file(list(piece.parts))
    assert content[:4] == b"MThd"
    assert int.from_bytes(content[18:22], "big") == len(content) - 22
    ons = sum(content.count(bytes([0x90 | channel])) for channel in range(16))
    assert ons >= sum(len(part.notes) for part in piece.parts)


# Reading music


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no sound file"):
        encoder_data.read_folder(tmp_path)
    with pytest.raises(TrainingError, match="not a folder"):
        encoder_data.read_folder(tmp_path / "nowhere")


def test_files_that_are_no_sound_are_named_and_left_out(folder: Path) -> None:
    (folder / "broken.ogg").write_bytes(b"OggS but no more")
    soundfile.write(folder / "silent.wav", np.zeros(1000), SAMPLE_RATE)
    reports: list[str] = []
    tracks = encoder_data.read_folder(folder, report=reports.append)
    assert [track.name for track in tracks] == ["0", "1"]
    assert len(reports) == 2
    assert "broken.ogg" in reports[0]
    assert "silent.wav" in reports[1]


def test_any_rate_and_channels_come_as_mono_at_the_encoders_rate(tmp_path: Path) -> None:
    time = np.arange(44_100) / 44_100
    left, right = np.sin(2 * np.pi * 440 * time), np.zeros(44_100)
    soundfile.write(tmp_path / "stereo.flac", np.stack([left, right], axis=1), 44_100)
    track = encoder_data.read_track(tmp_path / "stereo.flac")
    assert len(track.samples) == SAMPLE_RATE
    assert np.abs(track.samples).max() == pytest.approx(0.5, abs=0.02)
    assert np.abs(np.fft.rfft(track.samples)).argmax() == 440


def test_sections_written_beside_a_track_are_read(folder: Path) -> None:
    notes = {"tempo": 120, "sections": [["A", 0, 2], ["B", 2, 3]]}
    (folder / "0.json").write_text(json.dumps(notes))
    track = encoder_data.read_track(folder / "0.wav")
    assert track.sections == (("A", 0.0, 2.0), ("B", 2.0, 3.0))
    assert track.bar_seconds == 2.0
    (folder / "0.json").write_text('{"sections": 3}')
    with pytest.raises(TrainingError, match="tempo and sections"):
        encoder_data.read_track(folder / "0.wav")


def test_segments_longer_than_every_track_are_refused(tracks: list[Track]) -> None:
    with pytest.raises(TrainingError, match="shorter than a training segment"):
        Segments(tracks, 5.0, seed=0)


def test_segments_are_finite_bounded_and_go_on_from_their_state(tracks: list[Track]) -> None:
    segments = Segments(tracks, 0.5, seed=1)
    first = segments.batch(8)
    assert first.shape == (8, 1, 38 * 320)
    assert np.abs(first).max() <= 1.0
    state = segments.state()
    second = segments.batch(4)
    segments.restore(state)
    assert np.array_equal(segments.batch(4), second)


# The codec's parts


def test_more_codebooks_bring_the_quantised_latents_nearer() -> None:
    torch.manual_seed(0)
    quantizer = ResidualQuantizer(8, stages=4, size=16)
    latents = torch.randn(4, 8, 50)
    for _ in range(20):
        quantizer(latents, 4)
    quantizer.eval()
    errors = [float((quantizer(latents, stages)[0] - latents).square().mean()) for stages in (1, 2, 4)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.5 * float(latents.square().mean())


def test_gradients_pass_straight_through_the_quantiser() -> None:
    quantizer = ResidualQuantizer(8, stages=2, size=4)
    latents = torch.randn(2, 8, 5, requires_grad=True)
    quantizer(latents, 2)[0].sum().backward()
    assert torch.equal(latents.grad, torch.ones_like(latents))  # type: ignore[arg-type]


def test_mel_distance_is_nought_for_equal_sounds_and_grows_with_what_is_missing() -> None:
    sound = torch.from_numpy(_music())[None, None]
    distance = MelDistance()
    assert float(distance(sound, sound)) == 0.0
    assert float(distance(sound, 0.5 * sound)) < float(distance(sound, torch.zeros_like(sound)))


def test_the_contrastive_loss_is_small_when_near_hops_are_alike() -> None:
    torch.manual_seed(0)
    alike = torch.randn(4, 16, 1).repeat_interleave(2, dim=0).expand(8, 16, 30)
    assert float(contrast_in_time(alike)) < 0.2 * float(contrast_in_time(torch.randn(8, 16, 30)))


def test_redundancy_is_one_for_copies_and_near_nought_for_independent_dimensions() -> None:
    torch.manual_seed(0)
    assert float(redundancy(torch.randn(2, 1, 500).expand(2, 6, 500))) == pytest.approx(1.0, abs=0.01)
    assert float(redundancy(torch.randn(4, 6, 1000))) < 0.01


def test_the_spectrum_can_be_read_where_the_latents_tell_it_and_not_elsewhere() -> None:
    torch.manual_seed(0)
    probe = SpectrumProbe(64, hop=320)
    sound = torch.from_numpy(_music(2.0)[: 320 * 100])[None, None]
    told = torch.from_numpy(encoder_evaluate.log_mel(sound[0, 0].numpy(), bands=64)).t()[None]
    told = (told - told.mean(dim=2, keepdim=True)) / told.std(dim=2, keepdim=True)
    with torch.no_grad():
        probe.linear.weight.copy_(torch.eye(64)[:, :, None])
        probe.linear.bias.zero_()
        assert float(probe(told, sound)) < 0.3
        assert float(probe(told.flip(2), sound)) > 1.0


def test_the_codec_is_causal() -> None:
    torch.manual_seed(0)
    codec = Codec(2).eval()
    sound = torch.from_numpy(_music(1.0))[None, None]
    changed = sound.clone()
    changed[:, :, 12_800:] = 0.0
    with torch.no_grad():
        before, after = (codec.latents(each)[:, :, :40] for each in (sound, changed))
    assert torch.equal(before, after)


# Training


def _assert_that_it_resumes(start: Callable[[str], Run | DecoderRun], stop: int) -> None:
    """A training that ``start`` opens in the named folder, stopped and resumed, ends like an unbroken one."""
    unbroken = start("unbroken")
    encoder_train.train(unbroken)
    first = start("broken")
    encoder_train.train(first, until=lambda: first.step >= stop)
    assert first.step == stop
    second = start("broken")
    assert second.step == stop
    encoder_train.train(second)
    for name, value in unbroken.codec.state_dict().items():
        assert torch.equal(value, second.codec.state_dict()[name]), name
    for name, value in unbroken.averaged.items():
        assert torch.equal(value, second.averaged[name]), name


def test_a_run_that_stops_and_resumes_ends_where_an_unbroken_one_does(
    tracks: list[Track], tmp_path: Path
) -> None:
    _assert_that_it_resumes(lambda name: Run(tmp_path / name, tracks, TINY), stop=2)


def test_a_decoders_run_that_stops_and_resumes_ends_where_an_unbroken_one_does(
    tracks: list[Track], frozen: Path, tmp_path: Path
) -> None:
    encoder = _streaming(frozen)
    _assert_that_it_resumes(lambda name: DecoderRun(tmp_path / name, tracks, TINY_DECODER, encoder), stop=3)


def test_a_decoder_learns_to_copy_what_a_frozen_encoder_tells(frozen: Path, tmp_path: Path) -> None:
    recipe = DecoderRecipe(steps=40, batch=2, seconds=0.25, rate=3e-3)
    before = frozen.read_bytes()
    encoder = _streaming(frozen)
    sound = _music()[:32_000]
    latents = encoder.encode(sound)
    run = DecoderRun(tmp_path / "run", [Track("one", _music())], recipe, encoder)
    losses = [run.advance()["mel"] for _ in range(40)]
    assert np.mean(losses[-5:]) < 0.75 * np.mean(losses[:5])
    assert np.array_equal(encoder.encode(sound), latents)
    assert frozen.read_bytes() == before
    run.save()
    codec = frozen_codec_of(tmp_path / "run", encoder)
    with torch.inference_mode():
        copy, turned, _ = codec(torch.from_numpy(sound)[None, None], 8)
    assert copy.shape == (1, 1, 32_000)
    assert turned.shape == (1, 128, 100)


def test_what_a_decoder_hears_of_a_stretch_fits_its_latents(tracks: list[Track], frozen: Path) -> None:
    encoder = _streaming(frozen)
    hearing = Hearing(encoder, tracks, TINY_DECODER)
    sound, latents = hearing.batch(7)
    assert sound.shape == (2, 1, 19 * 320)
    assert latents.shape == (2, 128, 19)
    again = Hearing(encoder, tracks, TINY_DECODER).batch(7)
    assert torch.equal(sound, again[0])
    assert torch.equal(latents, again[1])
    assert not torch.equal(sound, hearing.batch(8)[0])
    # Heard alone, without its past, the same sound gives nearly the same latents, and at the same hops.
    alone = torch.from_numpy(encoder.encode(sound[0, 0].numpy())).t()
    moved = {shift: latents[0].roll(shift, dims=1)[:, 8:-1] - alone[:, 8:-1] for shift in (-1, 0, 1)}
    assert min(moved, key=lambda shift: float(moved[shift].square().mean())) == 0


def test_a_decoder_is_refused_behind_another_encoder(
    tracks: list[Track], frozen: Path, tmp_path: Path
) -> None:
    DecoderRun(tmp_path / "run", tracks, TINY_DECODER, _streaming(frozen)).save()
    other = _streaming(_ship(tmp_path / "other.safetensors", seed=1))
    with pytest.raises(TrainingError, match="fitted to another encoder"):
        DecoderRun(tmp_path / "run", tracks, TINY_DECODER, other)
    with pytest.raises(TrainingError, match="fitted to another encoder"):
        frozen_codec_of(tmp_path / "run", other)


def test_runs_of_a_codec_and_of_a_decoder_are_not_mixed_up(
    tracks: list[Track], frozen: Path, tmp_path: Path
) -> None:
    encoder = _streaming(frozen)
    Run(tmp_path / "codec", tracks, TINY).save()
    DecoderRun(tmp_path / "decoder", tracks, TINY_DECODER, encoder).save()
    with pytest.raises(TrainingError, match="holds a codec, not a decoder"):
        DecoderRun(tmp_path / "codec", tracks, TINY_DECODER, encoder)
    with pytest.raises(TrainingError, match="holds a decoder for a frozen encoder, not a codec"):
        Run(tmp_path / "decoder", tracks, TINY)


def test_an_encoder_for_another_rate_gets_no_decoder(frozen: Path) -> None:
    network, info = read_seanet_encoder(frozen)
    with pytest.raises(TrainingError, match="hears 48000 Hz"):
        FrozenCodec(StreamingEncoder(network, replace(info, sample_rate=48_000)))


def test_training_brings_the_copy_nearer_to_the_sound(tmp_path: Path) -> None:
    run = Run(
        tmp_path, [Track("one", _music())], Recipe(filters=2, steps=40, batch=2, seconds=0.25, rate=3e-3)
    )
    losses = [run.advance()["mel"] for _ in range(40)]
    assert np.mean(losses[-5:]) < 0.75 * np.mean(losses[:5])


@pytest.mark.parametrize("kind", ["codec", "decoder"])
def test_a_full_disk_keeps_the_older_checkpoint(
    kind: str, tracks: list[Track], frozen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run: Training
    place = tmp_path / "run"
    if kind == "codec":
        run = Run(place, tracks, TINY)
    else:
        run = DecoderRun(place, tracks, TINY_DECODER, _streaming(frozen))
    run.advance()
    run.save()
    older = (place / "checkpoint.pt").read_bytes()

    def full(content: object, file: object) -> None:
        file.write(b"half of it")  # type: ignore[attr-defined]
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("torch.save", full)
    run.advance()
    with pytest.raises(TrainingError, match="the checkpoint before it is kept"):
        run.save()
    assert (place / "checkpoint.pt").read_bytes() == older
    assert sorted(path.name for path in place.iterdir()) == ["checkpoint.pt"]


@pytest.mark.parametrize("content", [b"", b"not a checkpoint at all", b"PK\x03\x04 cut off"])
def test_a_damaged_checkpoint_is_a_clear_error(content: bytes, tracks: list[Track], tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(content)
    with pytest.raises(TrainingError, match="damaged or not a checkpoint"):
        Run(tmp_path, tracks, TINY)


def test_a_checkpoint_of_another_width_is_refused(tracks: list[Track], tmp_path: Path) -> None:
    Run(tmp_path, tracks, TINY).save()
    with pytest.raises(TrainingError, match="2 filters, not 4"):
        Run(tmp_path, tracks, Recipe(filters=4, steps=4, batch=4, seconds=0.25))


# The command


def test_the_command_trains_ships_and_the_file_drives_a_show(folder: Path, tmp_path: Path) -> None:
    run, shipped = tmp_path / "run", tmp_path / "own.safetensors"
    tiny = [
        "--filters",
        "2",
        "--steps",
        "2",
        "--batch",
        "4",
        "--seconds",
        "0.25",
        "--threads",
        "1",
        "--device",
        "cpu",
    ]
    assert encoder.main(["--data", str(folder), "--run", str(run), *tiny]) == 0
    (tmp_path / "card.json").write_text('{"note": "a test"}')
    assert (
        encoder.main(
            ["--ship", str(run), "-o", str(shipped), "--card", str(tmp_path / "card.json"), "--threads", "1"]
        )
        == 0
    )
    own = load_encoder(shipped, runner="torch")
    assert own.trained
    assert own.licence == "MIT"
    assert own.info.card["note"] == "a test"
    assert own.info.card["recipe"]["filters"] == 2
    assert own.info.calibration is not None
    codec, content = encoder_train.codec_of(run)
    assert content["step"] == 2
    sound = _music()[: 320 * 100]
    with torch.no_grad():
        wanted = codec.latents(torch.from_numpy(sound)[None, None])[0].t().numpy()
    assert np.abs(own.encode(sound) - wanted).max() < 0.02 * wanted.std() + 1e-3


def test_the_standardisation_is_folded_without_a_trace() -> None:
    torch.manual_seed(0)
    codec = Codec(2)
    sound = torch.from_numpy(_music())[None, None]
    codec(sound)
    codec.eval()
    with torch.no_grad():
        wanted = codec.latents(sound)
        folded = shipping_encoder(codec)(sound)
    assert torch.allclose(folded, wanted, atol=1e-4)


def test_a_change_of_the_latents_is_folded_too() -> None:
    torch.manual_seed(0)
    codec = Codec(2).eval()
    sound = torch.from_numpy(_music())[None, None]
    change = torch.randn(128, 128) / 11
    with torch.no_grad():
        wanted = torch.einsum("oi,nit->not", change, codec.latents(sound))
        assert torch.allclose(shipping_encoder(codec, change)(sound), wanted, atol=1e-4)


def test_the_metric_weighs_what_lasts_above_what_flickers() -> None:
    rng = np.random.default_rng(0)
    mixing = rng.standard_normal((4, 4))

    def describe(samples: np.ndarray) -> np.ndarray:
        hops = len(samples) // 320
        lasting = np.repeat(rng.standard_normal((hops // 75 + 1, 1)), 75, axis=0)[:hops]
        return (np.concatenate([lasting, rng.standard_normal((hops, 3))], axis=1) @ mixing).astype(np.float32)

    track = Track("long", np.zeros(60 * SAMPLE_RATE, np.float32))
    change = fit_metric(describe, [track], power=0.5).numpy()
    seen = describe(track.samples) @ change.T
    blocks = seen[20:][: 75 * 50].reshape(50, 75, 4)
    # The blocks of the fit begin after the warm-up; a phase of 20 hops blurs them but little.
    variance = blocks.mean(axis=1).var(axis=0).sum() / blocks.reshape(-1, 4).var(axis=0).sum()
    plain = describe(track.samples)[20:][: 75 * 50].reshape(50, 75, 4)
    assert variance > 1.3 * plain.mean(axis=1).var(axis=0).sum() / plain.reshape(-1, 4).var(axis=0).sum()
    assert np.linalg.cond(change) < 1e3


def test_a_run_that_is_not_there_cannot_ship(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="train first"):
        encoder.main(["--ship", str(tmp_path)])


def test_a_recipe_that_cannot_be_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="multiple of 4"):
        encoder.main(["--data", str(folder), "--batch", "3"])
    with pytest.raises(UsageError, match=r"at least 0\.25"):
        encoder.main(["--data", str(folder), "--decoder-only", "--seconds", "0.1"])
    with pytest.raises(UsageError, match="--contrast is for training an encoder"):
        encoder.main(["--data", str(folder), "--decoder-only", "--contrast", "1"])


def test_the_command_fits_a_decoder_to_a_file_and_evaluates_both(
    folder: Path, frozen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(encoder_evaluate, "demo_as_track", lambda: Track("demo", _music(6.0, seed=9)))
    run, figures = str(tmp_path / "run"), tmp_path / "figures.json"
    common = ["--encoder", str(frozen), "--threads", "1", "--device", "cpu"]
    tiny = ["--steps", "2", "--batch", "2", "--seconds", "0.25"]
    assert encoder.main(["--data", str(folder), "--run", run, "--decoder-only", *tiny, *common]) == 0
    assert "step 2 of 2" in capsys.readouterr().out
    assert encoder.main(["--evaluate", run, "--tracks", str(folder), "--json", str(figures), *common]) == 0
    text = capsys.readouterr().out
    assert "fitted afterwards to the encoder frozen.safetensors" in text
    assert "8 codebooks" in text
    assert json.loads(figures.read_text()).keys() == {"demo", "music"}
    with pytest.raises(TrainingError, match="fitted to another encoder"):
        encoder.main(["--evaluate", run, "--threads", "1"])
    with pytest.raises(TrainingError, match="not a codec"):
        encoder.main(["--ship", run])


def test_an_encoder_is_measured_as_a_driver_without_any_run(
    frozen: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(encoder_evaluate, "demo_as_track", lambda: Track("demo", _music(6.0, seed=9)))
    assert encoder.main(["--driving", "--encoder", str(frozen), "--threads", "1"]) == 0
    text = capsys.readouterr().out
    assert "log-mel" in text
    assert "SI-SDR" not in text


# Evaluating


def test_the_roc_area_counts_right_decisions() -> None:
    area = encoder_evaluate.roc_area
    assert area(np.array([3.0, 4.0]), np.array([1.0, 2.0])) == 1.0
    assert area(np.array([1.0, 4.0]), np.array([2.0, 3.0])) == 0.5
    assert area(np.array([1.0]), np.array([1.0])) == 0.5


def test_si_sdr_ignores_level_and_counts_noise() -> None:
    sound = _music()
    noise = np.random.default_rng(0).standard_normal(len(sound)).astype(np.float32)
    noise *= 0.1 * np.linalg.norm(sound) / np.linalg.norm(noise)
    assert encoder_evaluate.si_sdr((0.3 * sound).astype(np.float32), sound) > 60.0
    assert encoder_evaluate.si_sdr(sound + noise, sound) == pytest.approx(20.0, abs=0.3)


def test_a_driver_that_knows_the_bars_scores_one_and_noise_scores_a_half() -> None:
    rng = np.random.default_rng(0)
    sections = (("A", 0.0, 8.0), ("B", 8.0, 16.0))
    track = Track("made up", np.zeros(16 * SAMPLE_RATE, np.float32), sections, bar_seconds=2.0)
    bars = np.arange(1200) // 150
    knows = encoder_evaluate.driving(np.eye(8, dtype=np.float32)[bars], track)
    assert knows.bar == 1.0
    by_section = encoder_evaluate.driving(np.eye(2, dtype=np.float32)[bars // 4], track)
    assert by_section.section == 1.0
    blind = encoder_evaluate.driving(rng.standard_normal((1200, 8)).astype(np.float32), track)
    assert blind.bar == pytest.approx(0.5, abs=0.02)
    unknown = encoder_evaluate.driving(np.eye(8, dtype=np.float32)[bars], Track("plain", track.samples))
    assert np.isnan(unknown.section)


def test_an_evaluation_puts_the_encoder_beside_its_baselines(tracks: list[Track], frozen: Path) -> None:
    torch.manual_seed(0)
    network, _ = read_seanet_encoder(frozen)
    figures = encoder_evaluate.evaluate(network, tracks[:1], Codec(2).eval())
    text = encoder_evaluate.report(figures, "one")
    assert all(name in text for name in ("trained", "untrained", "log-mel", "noise", "8 codebooks"))
    rebuilt = figures["track 0"]["rebuilding"]
    assert rebuilt["32 log-mel bands on noise"]["mel"] < rebuilt["noise"]["mel"]


def test_the_untrained_baseline_is_the_same_network_built_anew(frozen: Path) -> None:
    network, _ = read_seanet_encoder(frozen)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    described = encoder_evaluate.candidates(network)
    torch.manual_seed(0)
    fresh = StreamingEncoder(build_seanet_encoder(**hyperparameters(2)))
    sound = _music(1.0)[: 320 * 70]
    assert np.abs(described["untrained"](sound) - fresh.encode(sound)).max() < 1e-5
    assert np.abs(described["untrained"](sound) - described["trained"](sound)).max() > 0.1
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_an_encoder_of_another_hop_is_not_measured_against_this_one() -> None:
    other = build_seanet_encoder(**{**hyperparameters(2), "ratios": [2, 2], "norm": "none"})
    with pytest.raises(TrainingError, match="128 numbers each 4 samples"):
        encoder_evaluate.candidates(other)


# Real music for studies


def test_study_tracks_are_many_named_once_and_free() -> None:
    names = [track.name for track in study_tracks.TRACKS]
    assert len(set(names)) == len(names) >= 10
    assert all(track.licence.startswith(("GPL", "CC-BY-SA", "MIT")) for track in study_tracks.TRACKS)


def test_study_tracks_are_cut_from_installed_packages_even_inside_a_zip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(tmp_path / "song.wav", _music(3.0), SAMPLE_RATE)
    (tmp_path / "usr").mkdir()
    with zipfile.ZipFile(tmp_path / "usr" / "music.pk3", "w") as archive:
        archive.write(tmp_path / "song.wav", "song.wav")
    track = study_tracks.StudyTrack("genre", "package", "usr/music.pk3!song.wav", 1.0, 1.5, "GPL-2", "nobody")
    monkeypatch.setattr(study_tracks, "TRACKS", (track,))
    (made,) = study_tracks.fetch(tmp_path / "out", root=tmp_path)
    assert soundfile.info(made).duration == pytest.approx(1.5, abs=0.01)


def test_a_package_without_the_track_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "song.ogg").write_bytes(b"no music")
    track = study_tracks.StudyTrack("genre", "package", "song.ogg", 0.0, 1.0, "GPL-2", "nobody")
    monkeypatch.setattr(study_tracks, "TRACKS", (track,))
    with pytest.raises(TrainingError, match=r"package does not hold song\.ogg"):
        study_tracks.fetch(tmp_path / "out", root=tmp_path)


def test_the_bundled_encoder_is_trained_and_tells_the_demo_tracks_sections_better_than_chance() -> None:
    network, info = read_seanet_encoder("bundled")
    assert info.trained
    assert {"data", "recipe", "hours", "licence", "figures", "seeds"} <= info.card.keys()
    demo = encoder_evaluate.demo_as_track()
    clip = np.ascontiguousarray(demo.samples[: len(demo.samples) // 320 * 320])
    describe = encoder_evaluate.candidates(network)["trained"]
    driving = encoder_evaluate.driving(encoder_evaluate.Mapper(describe, clip)(clip), demo, pairs=4000)
    assert driving.section > 0.7
    assert driving.bar > 0.7
