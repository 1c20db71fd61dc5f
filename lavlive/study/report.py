"""Writes what a study found: Markdown, figures, JSON, and the README's section."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lavlive.study import analysis, prose
from lavlive.study.analysis import Findings, above
from lavlive.study.claims import claims, default_rows, group_texts
from lavlive.study.conditions import DEFAULT
from lavlive.study.figures import draw_all
from lavlive.study.json_file import write_json
from lavlive.study.laboratory import Finding
from lavlive.study.statistics import Estimate, spread_by
from lavlive.study.trial import MOTION_SECONDS, STAGES

_ONSETS = "onset 1, windows ÷ 4"


@dataclass(frozen=True)
class About:
    """What was studied.

    Attributes:
        command: what was typed.
        generator, trained: the generator's name, and whether it is more than a placeholder.
        encoder: as on the command line.
        drivers: all that were compared.
        tracks: those that were studied.
        seconds: heard of each.
        notes: a line for each track left out.
        quick: only a few conditions.
        planned: how many trials there would be.
    """

    command: str
    generator: str
    trained: bool
    encoder: str
    drivers: tuple[str, ...]
    tracks: tuple[str, ...]
    seconds: float
    notes: tuple[str, ...]
    quick: bool
    planned: int


def write_report(folder: Path, about: About, found: Sequence[Finding]) -> list[Path]:
    """Write report.md, readme.md, study.json and the figures; their paths, the report first."""
    findings = Findings(found)
    figures = draw_all(folder, findings)
    report, section, data = folder / "report.md", folder / "readme.md", folder / "study.json"
    report.write_text(_report(about, findings, len(found)), encoding="utf-8")
    section.write_text(_section(about, findings), encoding="utf-8")
    trials = [{"track": f.track, "condition": f.condition.as_dict(), **f.result} for f in found]
    stated = [asdict(claim) for claim in claims(findings)]
    write_json(data, {"about": asdict(about), "claims": stated, "trials": trials})
    return [report, section, data, *figures]


def _report(about: About, findings: Findings, trials: int) -> str:
    parts = [
        _opening(about, trials),
        "![The study in one figure](study.png)",
        _caption(),
        "## In short",
        _table(("question", "with its own music", "control", "answer"), _short(findings)),
        "## The paper's claims",
        prose.CLAIMS,
        _table(
            ("claim", "test", "result", "verdict"),
            ([c.sentence, c.test, c.result, f"**{c.verdict}**"] for c in claims(findings)),
        ),
        "## Along the path",
        _path_table(findings),
        _blocks_table(findings),
        "## Drivers",
        prose.DRIVERS.format(encoder=about.encoder, published=_published(about)),
        _comparison(findings, [DEFAULT, *findings.of_family("driver")]),
        "## Projections",
        prose.PROJECTIONS,
        _comparison(findings, [DEFAULT, *findings.of_family("projection")]),
        _seeds(findings),
        "## The knobs",
        "![Sweeps of y, the windows and c](study-knobs.png)",
        prose.KNOBS,
        _meters_table(findings),
        "## lavlive's defaults",
        prose.DEFAULTS,
        _table(("default", "", "better", "worse", "no clear difference"), default_rows(findings)),
        "## Track by track",
        "![Every track](study-tracks.png)",
        "## How it was measured, and what that cannot show",
        prose.METHOD.format(motion=f"{MOTION_SECONDS:g}"),
        "## Again",
        prose.AGAIN,
    ]
    return "\n\n".join(parts) + "\n"


def _opening(about: About, trials: int) -> str:
    trained = "" if about.trained else ", an untrained placeholder"
    quick = " A quick run: a few conditions only." if about.quick else ""
    if trials < about.planned:
        quick += f" Stopped after {trials} of {about.planned} trials."
    left_out = "".join(f"\n- {note}" for note in about.notes)
    tracks = ", ".join(about.tracks)
    return (
        "# Does it follow the music?\n\n"
        "Written by `lavlive study`; every figure in it is of the run\n\n"
        f"    {about.command}\n\n"
        f"on {len(about.tracks)} tracks ({tracks}), {about.seconds:g} s of each, with the encoder "
        f"{about.encoder} and the generator {about.generator}{trained}.{quick} Values are means over tracks "
        "with 95 % intervals from a bootstrap over tracks and the seeds within them.\n"
        f"{left_out}"
    ).rstrip()


def _caption() -> str:
    return (
        "*Left: how like the geometry of the sound is that of each stage (dots: tracks). Middle: the same "
        "for w+ and pictures with other drivers (second block) and other projections (third). Right: how the "
        "change of the picture answers what begins in the sound. Bars and bands: 95 % intervals.*"
    )


def _short(findings: Findings) -> list[list[str]]:
    """The rows of the README's table."""
    chance = 1 / max(len(findings.tracks), 1)
    picture, w_plus = analysis.similarity("picture"), analysis.similarity("w+")
    estimate = findings.estimate
    own_area = estimate(DEFAULT, analysis.paired("sections", "picture"))
    area = estimate(DEFAULT, analysis.paired("sections", "picture", control=True))
    share = estimate(DEFAULT, analysis.paired("neighbours", "picture"))
    no_share = estimate(DEFAULT, analysis.paired("neighbours", "picture", control=True))
    found = estimate(DEFAULT, analysis.found("picture"))
    rows: list[tuple[str, str, str, bool | None]] = [
        (
            "Do moments that sound alike lie near each other in w+? (rank correlation)",
            estimate(DEFAULT, w_plus).text(),
            estimate(DEFAULT, analysis.stranger("w+")).text(),
            above(estimate(DEFAULT, analysis.margin("w+"))),
        ),
        (
            "Do they look alike?",
            estimate(DEFAULT, picture).text(),
            estimate(DEFAULT, analysis.stranger("picture")).text(),
            above(estimate(DEFAULT, analysis.margin("picture"))),
        ),
        (
            "Do the pictures tell which of the tracks was playing? (share found)",
            found.text(),
            f"{chance:.2f}",
            above(found, chance),
        ),
        (
            "Of the moments most like this one in sound, how many are so in the pictures?",
            share.text(),
            no_share.text(),
            above(_less(findings, "neighbours")),
        ),
        (
            "Do pictures tell sections apart? (area under the curve)",
            own_area.text(),
            area.text(),
            above(_less(findings, "sections")),
        ),
        (
            "Does the picture answer an onset? (correlation)",
            estimate(DEFAULT, analysis.onsets("picture")).text(),
            estimate(DEFAULT, analysis.onsets("picture", 2)).text(),
            above(estimate(DEFAULT, analysis.above_strangers("picture"))),
        ),
    ]
    if _ONSETS in findings.names:
        rows.append(
            (
                "… with the onset knobs at 1 and the windows at a quarter",
                estimate(_ONSETS, analysis.onsets("picture")).text(),
                estimate(_ONSETS, analysis.onsets("picture", 2)).text(),
                above(estimate(_ONSETS, analysis.above_strangers("picture"))),
            )
        )
    return [[question, own, control, "yes" if yes else "not shown"] for question, own, control, yes in rows]


def _less(findings: Findings, kind: str) -> Estimate:
    own, control = analysis.paired(kind, "picture"), analysis.paired(kind, "picture", control=True)
    return findings.estimate(DEFAULT, lambda result: own(result) - control(result))


def _path_table(findings: Findings) -> str:
    rows = []
    for stage in (*STAGES[:3], "coarse", "middle", "fine", "picture"):
        measures = (analysis.similarity, analysis.stranger, analysis.shifted, analysis.found)
        texts = [findings.estimate(DEFAULT, measure(stage)).text() for measure in measures]
        rows.append(
            [{"coarse": "w+, coarse", "middle": "w+, middle", "fine": "w+, fine"}.get(stage, stage), *texts]
        )
    steps = ("embedding to w", "w to w+", "w+ to picture")
    kept = [f"{step} {findings.estimate(DEFAULT, analysis.kept(step)).text()}" for step in steps]
    return (
        _table(
            ("stage", "own sound", "other tracks' sound", "own sound, shifted in time", "track found"), rows
        )
        + f"\n\nWhat each step keeps of the geometry before it: {'; '.join(kept)}."
    )


def _blocks_table(findings: Findings) -> str:
    rows = [
        [
            {"picture": "pictures"}.get(stage, stage),
            *(
                findings.estimate(DEFAULT, lambda r, s=stage, b=block: r["blocks"][s][b]).text()  # type: ignore[misc]
                for block in ("timbre", "harmony", "dynamics")
            ),
        ]
        for stage in ("w+", "picture")
    ]
    return "What of the sound they follow:\n\n" + _table(
        ("similarity of", "timbre", "harmony", "dynamics"), rows
    )


def _comparison(findings: Findings, names: Iterable[str]) -> str:
    rows = []
    for name in names:
        cells = [
            findings.estimate(name, analysis.similarity(stage)).text()
            for stage in ("embedding", "w+", "picture")
        ]
        for stage in ("w+", "picture"):
            difference = findings.difference(name, analysis.similarity(stage))
            cells.append("" if name == DEFAULT else difference.text(sign=True))
        cells.append(findings.estimate(name, analysis.paired("neighbours", "picture")).text())
        cells.append(findings.estimate(name, analysis.found("picture")).text())
        rows.append([name, *cells])
    return _table(
        (
            "",
            "embedding",
            "w+",
            "pictures",
            "w+ less default",
            "pictures less default",
            "neighbours",
            "track found",
        ),
        rows,
    )


def _seeds(findings: Findings) -> str:
    table = findings.values(DEFAULT, analysis.similarity("w+"))
    within, between = spread_by(table)
    if math.isnan(within):
        return "One seed says nothing about seeds."
    return (
        f"How much the seed matters: over {table.shape[1]} seeds, the similarity of sound and w+ differs by "
        f"a standard deviation of {within:.3f} within a track; between tracks by {between:.3f}."
    )


def _meters_table(findings: Findings) -> str:
    families = ("y", "c", "windows", "energy", "adapt", "modulation")
    names = [DEFAULT, *(name for family in families for name in findings.of_family(family))]
    rows = []
    for name in names:
        delay = findings.estimate(name, analysis.onsets("fine", 1))
        rows.append(
            [
                name,
                findings.estimate(name, analysis.similarity("w+")).text(),
                findings.estimate(name, analysis.similarity("picture")).text(),
                findings.estimate(name, analysis.above_strangers("fine")).text(sign=True),
                findings.estimate(name, analysis.above_strangers("picture")).text(sign=True),
                f"{delay.mean:.2f}" if delay.known else "–",
                group_texts(findings, name, "diversity"),
                group_texts(findings, name, "jitter", 3),
                group_texts(findings, name, "lag"),
                group_texts(findings, name, "distance"),
                _mean(findings.estimate(name, analysis.single("picture_change"))),
                _mean(findings.estimate(name, analysis.single("picture_spread"))),
                _mean(findings.estimate(name, analysis.straightness("middle")), 2),
            ]
        )
    return _table(
        (
            "",
            "w+",
            "pictures",
            "onsets, fine w+",
            "onsets, pictures",
            "delay, s",
            "diversity",
            "jitter",
            "lag, s",
            "strangeness",
            "change, ΔE",
            "spread, ΔE",
            "smoothness",
        ),
        rows,
    )


def _mean(value: Estimate, digits: int = 1) -> str:
    return f"{value.mean:.{digits}f}".replace("-", "−") if value.known else "–"


def _published(about: About) -> str:
    if "encodec" in about.drivers:
        return "EnCodec's published weights were among them."
    return (
        "EnCodec's published weights, which the paper used, were not on the machine, so the claim is tested "
        "for lavlive's own small codec only (`lavlive model fetch encodec`, then the same command, adds "
        "them)."
    )


def _section(about: About, findings: Findings) -> str:
    """The README's section."""
    rows = _short(findings)
    stated = claims(findings)
    against = [claim for claim in stated if claim.verdict in ("contradicted", "partly", "not decided")]
    kind = " (a quick run: a few conditions)" if about.quick else ""
    missing = "\n".join(
        f"- {claim.sentence} **{claim.verdict.capitalize()}**: {claim.result}" for claim in against
    )
    return (
        "## Does it follow the music?\n\n"
        f"`lavlive study` asks {len(about.tracks)} real tracks, {about.seconds:g} s of each{kind}, with the "
        f"generator {about.generator}\nand the encoder {about.encoder}: means with 95 % intervals over "
        "tracks and seeds. [The whole report](docs/study.md),\n[the tracks](docs/study-tracks.md).\n\n"
        "![What is left of the music along the path](docs/study.png)\n\n"
        + _table(("at the default parameters", "its own music", "control", ""), rows)
        + "\n\nControl: other tracks' sound with the same pictures, or chance. What does not work, or only "
        f"in part:\n\n{missing}\n"
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines)
