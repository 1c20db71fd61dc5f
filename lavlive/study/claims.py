"""The paper's claims, in our words, beside what was measured; and lavlive's defaults."""

from __future__ import annotations

import itertools

from lavlive.parameters import GROUPS
from lavlive.study import analysis
from lavlive.study.analysis import NOT_TRIED, Claim, Findings, above, below, verdict
from lavlive.study.conditions import DEFAULT, REHEARSED
from lavlive.study.drivers import HAND_CRAFTED, LOG_MEL, UNTRAINED

PICTURE = analysis.similarity("picture")
W_PLUS = analysis.similarity("w+")


def claims(findings: Findings) -> list[Claim]:
    """Every claim that the trials can speak to."""
    return [
        _projection_keeps(findings),
        _projection_needs_no_training(findings),
        _pictures_cohere(findings),
        _codec_drives_best(findings),
        _own_windows(findings),
        _long_windows_freeze(findings),
        _short_windows_jitter(findings),
        _windows_delay(findings),
        _strange_w_glitches(findings),
        _y_spreads(findings),
        _c_lets_through(findings),
    ]


def _projection_keeps(findings: Findings) -> Claim:
    kept = findings.estimate(DEFAULT, analysis.kept("embedding to w"))
    settled = findings.estimate("adapt 0", analysis.kept("embedding to w"))
    margin = findings.estimate(DEFAULT, analysis.margin("w"))
    return Claim(
        "A random linear projection that is never trained keeps the meaning of sound.",
        "Rank correlation of the distances between moments before and after the projection; of those of "
        "sound and w, less the same with other tracks' sound.",
        f"Embedding to w {kept.text()}, {settled.text()} without adaptation; sound to w above other tracks "
        f"{margin.text(sign=True)}.",
        verdict([above(kept, 0.5), above(margin)], [below(margin, 0.0)]),
    )


def _projection_needs_no_training(findings: Findings) -> Claim:
    names = [n for n in ("orthogonal", "identity", "aligned", "learned") if n in findings.names]
    differences = {name: findings.difference(name, PICTURE) for name in names}
    in_w = {name: findings.difference(name, W_PLUS) for name in names}
    said = "; ".join(
        f"{name}: w+ {in_w[name].text(sign=True)}, pictures {differences[name].text(sign=True)}"
        for name in names
    )
    better = [above(d) for d in differences.values()]
    better_in_w = [above(d) for d in in_w.values()]
    return Claim(
        "The projection needs no training.",
        "Similarity of sound and pictures with other projections, less that with the random one, paired by "
        "track. The learned one was fitted on other tracks.",
        said + ".",
        verdict([None if one is None else not one for one in better], [*better, *better_in_w]),
    )


def _pictures_cohere(findings: Findings) -> Claim:
    margin = findings.estimate(DEFAULT, analysis.margin("picture"))
    found = findings.estimate(DEFAULT, analysis.found("picture"))
    chance = 1 / max(len(findings.tracks), 1)
    own = findings.estimate(DEFAULT, analysis.paired("neighbours", "picture"))
    other = findings.estimate(DEFAULT, analysis.paired("neighbours", "picture", control=True))
    return Claim(
        "The pictures are semantically coherent with the sound.",
        "Similarity of sound and pictures above that with other tracks; the right track found among all by "
        "its pictures; nearest moments shared by sound and pictures.",
        f"{margin.text(sign=True)}; found {found.text()} (chance {chance:.2f}); shared {own.text()} "
        f"(other tracks: {other.text()}).",
        verdict([above(margin), above(found, chance)], [below(margin)]),
    )


def _codec_drives_best(findings: Findings) -> Claim:
    others = [n for n in findings.of_family("driver") if n != UNTRAINED]
    said = []
    worse, better = [], []
    for name in (UNTRAINED, *others):
        if name not in findings.names:
            continue
        in_w, in_picture = findings.difference(name, W_PLUS), findings.difference(name, PICTURE)
        said.append(f"{name}: w+ {in_w.text(sign=True)}, pictures {in_picture.text(sign=True)}")
        worse.append(below(in_w))
        if name in (LOG_MEL, HAND_CRAFTED):
            better.append(above(in_w))
    return Claim(
        "Codec embeddings carry more meaning than explicit features do.",
        "Similarity of sound and w+ with other drivers, less that with the codec's encoder, paired by track.",
        "; ".join(said) + ".",
        verdict(worse, better),
    )


def _own_windows(findings: Findings) -> Claim:
    same = "all 0.4 s"
    fine = findings.difference(DEFAULT, analysis.above_strangers("fine"), same)
    coarse = findings.difference(DEFAULT, analysis.sign("jitter", "coarse"), same)
    shape = findings.difference(DEFAULT, PICTURE, same)
    return Claim(
        "Windows of their own let coarse layers move slowly while fine ones answer quickly.",
        "Default windows less 0.4 s for all groups: answer of the fine layers to onsets, motion of the "
        "coarse ones above 8 Hz, similarity of sound and pictures.",
        f"Fine answer {fine.text(sign=True)}; coarse jitter {coarse.text(3, sign=True)} W_std; similarity "
        f"{shape.text(sign=True)}.",
        verdict([above(fine), below(coarse)], [below(fine), above(coarse)]),
    )


def _long_windows_freeze(findings: Findings) -> Claim:
    change = findings.difference("all 8 s", analysis.sign("diversity", "fine"))
    spread = findings.difference("all 8 s", analysis.single("picture_spread"))
    return Claim(
        "Too much smoothing gives static output.",
        "Windows of 8 s less the default: diversity of the fine layers, spread of the pictures.",
        f"{change.text(sign=True)} W_std; {spread.text(1, sign=True)} ΔE.",
        verdict([below(change), below(spread)], [above(change), above(spread)]),
    )


def _short_windows_jitter(findings: Findings) -> Claim:
    jitter = findings.difference("no smoothing", analysis.sign("jitter", "coarse"))
    change = findings.difference("no smoothing", analysis.single("picture_change"))
    return Claim(
        "Too little smoothing gives jitter.",
        "No smoothing less the default: motion of the coarse layers above 8 Hz, change between pictures.",
        f"{jitter.text(sign=True)} W_std; {change.text(1, sign=True)} ΔE.",
        verdict([above(jitter), above(change)], [below(jitter), below(change)]),
    )


def _windows_delay(findings: Findings) -> Claim:
    computed = {n: findings.estimate(n, analysis.sign("lag", "coarse")) for n in ("no smoothing", DEFAULT)}
    heard = {n: findings.estimate(n, analysis.onsets("coarse", 1)) for n in ("no smoothing", DEFAULT)}
    measured = findings.difference(DEFAULT, analysis.onsets("coarse", 1), "no smoothing")
    return Claim(
        "Smoothing makes the pictures lag.",
        "Delay at which the coarse layers' motion answers onsets best, default and without smoothing.",
        f"{heard[DEFAULT].text()} s against {heard['no smoothing'].text()} s; the windows' own delay is "
        f"{computed[DEFAULT].mean:.2f} s.",
        verdict([above(measured)], [below(measured)]),
    )


def _strange_w_glitches(findings: Findings) -> Claim:
    far = {n: findings.estimate(n, analysis.sign("distance", "fine")) for n in (DEFAULT, "y 4", "y 4, c 1")}
    grown = findings.difference("y 4, c 1", analysis.sign("distance", "fine"))
    return Claim(
        "Glitches come when w leaves what the generator knows.",
        "Only the leaving is measured here, not the ugliness: distance from W_mean in the fine layers as a "
        "multiple of the one that 99 % of the generator's own w stay within.",
        "; ".join(f"{name} {value.text()}" for name, value in far.items()) + ".",
        # That what is strange is also ugly, no meter here can tell.
        verdict([above(grown), False if grown.known else None], []),
    )


def _y_spreads(findings: Findings) -> Claim:
    names = ["y 0.5", DEFAULT, "y 2", "y 4"]
    known = [findings.estimate(n, analysis.sign("diversity", "middle")) for n in names if n in findings.names]
    rises = all(a.mean < b.mean for a, b in itertools.pairwise(known))
    wide, narrow = findings.difference("y 4", PICTURE), findings.difference("y 0.5", PICTURE)
    step = findings.difference("y 4", analysis.sign("diversity", "middle"))
    return Claim(
        "y sets how far the pictures spread.",
        "Diversity of the middle layers for y = 0.5, 1, 2, 4; similarity of sound and pictures less "
        "the default's.",
        f"{' → '.join(f'{one.mean:.2f}' for one in known)} W_std; similarity at y 0.5 "
        f"{narrow.text(sign=True)}, at y 4 {wide.text(sign=True)}.",
        verdict([above(step) and rises], [below(step)]),
    )


def _c_lets_through(findings: Findings) -> Claim:
    at_one = findings.difference("c 1", analysis.sign("distance", "fine"), "c 0")
    at_four = findings.difference("y 4, c 1", analysis.sign("distance", "fine"), "y 4, c 0")
    return Claim(
        "c lets outliers through.",
        "Distance from W_mean at c = 1 less that at c = 0, at y = 1 and at y = 4.",
        f"y 1: {at_one.text(sign=True)}; y 4: {at_four.text(sign=True)}.",
        verdict([above(at_one), above(at_four)], [below(at_one), below(at_four)]),
    )


DEFAULTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("projection.kind = random", ("orthogonal", "identity", "aligned", "learned")),
    ("mapper.y = 1", ("y 0.5", "y 2", "y 4")),
    ("mapper.c = 0.1", ("c 0", "c 1")),
    ("mapper.adapt = 60 s", ("adapt 0", "adapt 20", REHEARSED)),
    ("smoothing = 1.2, 0.4, 0.1 s", ("no smoothing", "windows ÷ 4", "windows × 4", "all 0.4 s")),
    ("smoothing.keep_energy = 0.5", ("keep_energy 0", "keep_energy 1")),
    ("modulation = 0", ("onset 1", "onset 1, fine only", "chroma 1")),
)
"""Defaults, and the conditions with pictures that differ from them in that alone."""


def default_rows(findings: Findings) -> list[list[str]]:
    """A row per default: its name, a verdict, what did better than it and what worse, in four measures."""
    rows = []
    for name, others in DEFAULTS:
        better, worse, same = [], [], []
        for other in others:
            differences = (
                ("w+", findings.difference(other, W_PLUS), 2),
                ("pictures", findings.difference(other, PICTURE), 2),
                ("onsets", findings.difference(other, analysis.above_strangers("picture")), 2),
                ("spread", findings.difference(other, analysis.single("picture_spread")), 1),
            )
            for measure, value, digits in differences:
                if above(value):
                    better.append(f"{other}: {measure} {value.text(digits, sign=True)}")
                elif below(value):
                    worse.append(f"{other}: {measure} {value.text(digits, sign=True)}")
                elif value.known:
                    same.append(f"{other} ({measure})")
        if not (better or worse or same):
            said = NOT_TRIED
        elif better:
            said = "a trade" if worse else "in question"
        else:
            said = "confirmed" if worse else "no difference"
        rows.append(
            [name, said, "<br>".join(better) or "–", "<br>".join(worse) or "–", ", ".join(same) or "–"]
        )
    return rows


def group_texts(findings: Findings, name: str, meter: str, digits: int = 2) -> str:
    """A meter of the three groups, means only: ``0.10 / 0.15 / 0.34``."""
    means = [findings.estimate(name, analysis.sign(meter, group)) for group in GROUPS]
    return " / ".join(f"{one.mean:.{digits}f}" if one.known else "–" for one in means)
