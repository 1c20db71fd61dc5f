"""The study's figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lavlive.study import analysis
from lavlive.study.analysis import Findings, Measure
from lavlive.study.conditions import DEFAULT
from lavlive.study.statistics import estimate
from lavlive.study.trial import MOTION_PICTURES_A_SECOND, STAGES

_OWN, _OTHER, _THIRD, _INK = "#0b6e99", "#9a9a9a", "#d9730d", "#222222"
_STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.edgecolor": _INK,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "savefig.dpi": 130,
    "legend.frameon": False,
    "legend.fontsize": 8,
}


def draw_all(folder: Path, findings: Findings) -> list[Path]:
    """Write every figure into `folder`; their paths, the headline first."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    paths = []
    with pyplot.rc_context(_STYLE):
        for name, draw in (("study", _headline), ("study-knobs", _knobs), ("study-tracks", _tracks)):
            figure = draw(pyplot, findings)
            path = folder / f"{name}.png"
            figure.savefig(path, bbox_inches="tight")
            pyplot.close(figure)
            paths.append(path)
    return paths


def _headline(pyplot: Any, findings: Findings) -> Any:
    figure, (left, middle, right) = pyplot.subplots(
        1, 3, figsize=(11.5, 3.9), gridspec_kw={"width_ratios": [1.0, 1.35, 1.1]}, layout="constrained"
    )
    _along_the_path(left, findings)
    _drivers_and_projections(middle, findings)
    _onset_curves(right, findings)
    return figure


def _along_the_path(axes: Any, findings: Findings) -> None:
    random = np.random.default_rng(0)
    shown = [
        ("own music", _OWN, analysis.similarity, -0.14),
        ("other tracks", _OTHER, analysis.stranger, 0.14),
    ]
    for label, colour, measure, offset in shown:
        for place, stage in enumerate(STAGES):
            tracks = findings.values(DEFAULT, measure(stage))
            means = np.array([row[np.isfinite(row)].mean() for row in tracks if np.isfinite(row).any()])
            at = place + offset
            axes.scatter(
                at + random.uniform(-0.07, 0.07, len(means)),
                means,
                s=9,
                color=colour,
                alpha=0.35,
                linewidths=0,
            )
            _bar(axes, at, findings.estimate(DEFAULT, measure(stage)), colour, label if not place else None)
    axes.axhline(0, color=_INK, linewidth=0.6)
    axes.set_xticks(range(len(STAGES)), ["encoder", "w", "w+\n(smoothed)", "pictures"])
    axes.set_ylabel("similarity with the sound (rank correlation)")
    axes.set_title("Along the path: what is left of the music")
    axes.legend(loc="upper right")


def _drivers_and_projections(axes: Any, findings: Findings) -> None:
    names = [DEFAULT, *findings.of_family("driver"), *findings.of_family("projection")]
    for place, name in enumerate(names):
        for measure, colour, offset, label in (
            (analysis.similarity("w+"), _THIRD, -0.13, "w+"),
            (analysis.similarity("picture"), _OWN, 0.13, "pictures"),
        ):
            _bar(
                axes,
                place + offset,
                findings.estimate(name, measure),
                colour,
                label if not place else None,
                True,
            )
    control = findings.estimate(DEFAULT, analysis.stranger("picture"))
    if control.known:
        axes.axvspan(control.low, control.high, color=_OTHER, alpha=0.3, linewidth=0, label="other tracks")
    axes.axvline(0, color=_INK, linewidth=0.6)
    axes.set_yticks(range(len(names)), ["lavlive's default" if n == DEFAULT else n for n in names])
    axes.invert_yaxis()
    drivers = len(findings.of_family("driver"))
    for edge in (0.5, 0.5 + drivers):
        axes.axhline(edge, color=_OTHER, linewidth=0.6, linestyle=":")
    axes.set_xlabel("similarity with the sound")
    axes.set_title("Other drivers, other projections")
    axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.16), ncols=3)


def _onset_curves(axes: Any, findings: Findings) -> None:
    shown = [
        (DEFAULT, "default", _OWN),
        ("no smoothing", "no smoothing", _OTHER),
        ("onset 1, windows ÷ 4", "onset knobs at 1, windows ÷ 4", _THIRD),
        ("onset 1", "onset knobs at 1", "#6b4fa0"),
    ]
    for name, label, colour in shown:
        curves = findings.curves(name)
        if not len(curves):
            continue
        reach = curves.shape[1] // 2
        delays = np.arange(-reach, reach + 1) / MOTION_PICTURES_A_SECOND
        bands = [estimate(column, replicates=400) for column in curves.T]
        axes.plot(delays, [one.mean for one in bands], color=colour, label=label, linewidth=1.6)
        axes.fill_between(
            delays,
            [one.low for one in bands],
            [one.high for one in bands],
            color=colour,
            alpha=0.15,
            linewidth=0,
        )
    axes.axhline(0, color=_INK, linewidth=0.6)
    axes.axvline(0, color=_INK, linewidth=0.6)
    axes.set_xlabel("picture change after the onset, s")
    axes.set_ylabel("correlation")
    axes.set_title("Do the pictures answer onsets?")
    axes.legend(loc="upper left", bbox_to_anchor=(0.0, -0.16), ncols=2)


def _knobs(pyplot: Any, findings: Findings) -> Any:
    figure, axes = pyplot.subplots(2, 3, figsize=(11.5, 6.2), layout="constrained")
    sweeps = (
        (
            "y",
            ["y 0.5", DEFAULT, "y 2", "y 4"],
            ["0.5", "1", "2", "4"],
        ),
        (
            "windows",
            ["no smoothing", "windows ÷ 4", DEFAULT, "windows × 4", "all 8 s"],
            ["none", "÷ 4", "default", "× 4", "all 8 s"],
        ),
        (
            "c, and c at y = 4",
            ["c 0", DEFAULT, "c 1", "y 4, c 0", "y 4", "y 4, c 1"],
            ["0", "0.1", "1", "0, y 4", "0.1, y 4", "1, y 4"],
        ),
    )
    for column, (title, names, labels) in enumerate(sweeps):
        follow, meters = axes[0, column], axes[1, column]
        _sweep(follow, findings, names, analysis.similarity("w+"), _THIRD, "w+")
        _sweep(follow, findings, names, analysis.similarity("picture"), _OWN, "pictures")
        follow.axhline(0, color=_INK, linewidth=0.6)
        follow.set_title(title)
        for group, colour in (("coarse", _OWN), ("middle", "#6b4fa0"), ("fine", _THIRD)):
            _sweep(meters, findings, names, analysis.sign("diversity", group), colour, f"diversity, {group}")
        _sweep(meters, findings, names, analysis.sign("jitter", "fine"), _OTHER, "jitter, fine")
        _sweep(meters, findings, names, analysis.sign("distance", "fine"), _INK, "strangeness, fine")
        for one in (follow, meters):
            one.set_xticks(range(len(labels)), labels)
    axes[0, 0].set_ylabel("similarity with the sound")
    axes[1, 0].set_ylabel("W_std; strangeness: share of\nthe 99 % distance")
    axes[0, 0].legend()
    axes[1, 0].legend()
    return figure


def _sweep(
    axes: Any, findings: Findings, names: list[str], measure: Measure, colour: str, label: str
) -> None:
    known = [findings.estimate(name, measure) for name in names]
    at = np.array([place for place, one in enumerate(known) if one.known])
    if not len(at):
        return
    means = np.array([known[place].mean for place in at])
    low, high = (np.array([getattr(known[place], edge) for place in at]) for edge in ("low", "high"))
    axes.errorbar(
        at,
        means,
        yerr=np.maximum([means - low, high - means], 0.0),
        color=colour,
        marker="o",
        markersize=3.5,
        linewidth=1.2,
        elinewidth=1,
        label=label,
    )


def _tracks(pyplot: Any, findings: Findings) -> Any:
    own = [estimate(row[None, :]).mean for row in findings.values(DEFAULT, analysis.similarity("picture"))]
    order = np.argsort(np.nan_to_num(np.array(own), nan=-2))
    figure, axes = pyplot.subplots(
        1, 2, figsize=(9, 0.28 * len(order) + 1.4), sharey=True, layout="constrained"
    )
    panels = (
        (
            axes[0],
            "similarity with the sound",
            (
                ("pictures", _OWN, DEFAULT, analysis.similarity("picture")),
                ("pictures, other tracks' sound", _OTHER, DEFAULT, analysis.stranger("picture")),
                ("w+", _THIRD, DEFAULT, analysis.similarity("w+")),
                ("w+, adapt 0", "#6b4fa0", "adapt 0", analysis.similarity("w+")),
            ),
        ),
        (
            axes[1],
            "pictures' answer to onsets (correlation)",
            (
                ("default", _OWN, DEFAULT, analysis.onsets("picture")),
                ("other tracks' onsets", _OTHER, DEFAULT, analysis.onsets("picture", 2)),
                (
                    "onset knobs at 1, windows ÷ 4",
                    _THIRD,
                    "onset 1, windows ÷ 4",
                    analysis.onsets("picture"),
                ),
            ),
        ),
    )
    for panel, title, series in panels:
        for label, colour, name, measure in series:
            table = findings.values(name, measure)
            if not table.size:
                continue
            means = np.array(
                [row[np.isfinite(row)].mean() if np.isfinite(row).any() else np.nan for row in table]
            )
            panel.scatter(means[order], range(len(order)), s=22, color=colour, label=label, linewidths=0)
        panel.axvline(0, color=_INK, linewidth=0.6)
        panel.set_xlabel(title)
        panel.grid(axis="y", color="#dddddd", linewidth=0.5)
        panel.legend(loc="upper center", bbox_to_anchor=(0.5, 1.0 + 1.1 / len(order) + 0.06), ncols=2)
    axes[0].set_yticks(range(len(order)), [findings.tracks[index] for index in order])
    return figure


def _bar(axes: Any, at: float, value: Any, colour: str, label: str | None, across: bool = False) -> None:
    if not value.known:
        return
    reach = [[max(value.mean - value.low, 0.0)], [max(value.high - value.mean, 0.0)]]
    place = (
        {"x": [value.mean], "y": [at], "xerr": reach}
        if across
        else {"x": [at], "y": [value.mean], "yerr": reach}
    )
    axes.errorbar(**place, fmt="o", color=colour, markersize=5, elinewidth=1.8, label=label)
