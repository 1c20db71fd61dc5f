"""lavlive as a library: what it offers, how lightly it is imported, and that its page tells the truth."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
import tomllib
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import numpy as np
import pytest
import soundfile

import lavlive
from lavlive.commands.arguments import parse
from lavlive.commands.options import AnyOptions, BenchOptions, LiveOptions, RenderOptions, StudyOptions

ROOT = Path(__file__).parent.parent

EVERY_MODULE = """
import importlib, json, os, pkgutil, sys
before = dict(os.environ)
import lavlive
light = sorted({"torch", "numpy", "moderngl", "glfw"} & sys.modules.keys())
modules = [found.name for found in pkgutil.walk_packages(lavlive.__path__, "lavlive.")]
missing = {}
for name in modules:
    if name.endswith("__main__"):
        continue
    try:
        importlib.import_module(name)
    except ImportError as error:
        missing[name] = str(error)
changed = {name: os.environ.get(name) for name in before.keys() | os.environ.keys()
           if before.get(name) != os.environ.get(name)}
stubs = sorted(name for name, module in sys.modules.items()
               if module is None or type(module).__module__.partition(".")[0] == "lavlive")
print(json.dumps({"light": light, "changed": changed, "stubs": stubs, "missing": missing,
                  "modules": len(modules)}))
"""


def test_what_is_exported_is_there_documented_and_nothing_else() -> None:
    assert lavlive.__all__ == sorted(lavlive.__all__)
    for name in lavlive.__all__:
        found = getattr(lavlive, name)
        assert name == "__version__" or inspect.getdoc(found), f"{name} says nothing"
    assert set(lavlive.__all__) <= set(dir(lavlive))
    with pytest.raises(AttributeError, match="no attribute 'rendr'"):
        lavlive.rendr  # noqa: B018
    assert (ROOT / "lavlive" / "py.typed").is_file()


def test_importing_every_module_changes_neither_the_environment_nor_other_modules() -> None:

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", EVERY_MODULE], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    # imgui_bundle names its own GLFW for whoever imports glfw after it.
    assert found["changed"].keys() <= {"PYGLFW_LIBRARY"}
    assert found["stubs"] == []
    assert found["light"] == [], "import lavlive alone brings in something heavy"
    assert found["missing"] == {}
    assert found["modules"] > 250


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("", LiveOptions()),
        ("--debug", LiveOptions(debug=True)),
        ("live --demo --silent --once", LiveOptions(demo=True, aloud=False, loop=False)),
        ("live --no-panel --loopback", LiveOptions(panel=False, loopback="")),
        ("live --set a=b=c --class 3", LiveOptions(settings={"a": "b=c", "generator.class": 3})),
        ("live --record-size 640x360", LiveOptions(record_size=(640, 360))),
        ("live --remote", LiveOptions(remote="")),
        ("live --remote 192.168.1.5:9100", LiveOptions(remote="192.168.1.5:9100")),
        ("live --osc-send a:1 --osc-send b:2", LiveOptions(osc_send=("a:1", "b:2"))),
        ("render a.wav -o b.mp4 --fps 29.97", RenderOptions("a.wav", "b.mp4", fps="29.97")),
        (
            "bench --no-show --runner a --latency",
            BenchOptions(show=False, runner=("a",), latency=200),
        ),
        ("study a b -o c --quick", StudyOptions(("a", "b"), "c", quick=True)),
    ],
)
def test_what_is_typed_becomes_the_options_that_a_program_would_make(
    typed: str, expected: AnyOptions
) -> None:
    assert parse(typed.split()).options() == expected


def test_options_do_not_change_once_they_are_made() -> None:
    options = LiveOptions()
    with pytest.raises(FrozenInstanceError):
        options.headless = True  # type: ignore[misc]


@pytest.mark.parametrize("kind", [LiveOptions, RenderOptions, BenchOptions, StudyOptions])
def test_every_field_of_the_options_is_documented(kind: type) -> None:
    told = "\n".join(inspect.getdoc(one) or "" for one in kind.__mro__)
    for field in fields(kind):
        assert re.search(rf"^\s*{field.name}: \S", told, re.MULTILINE), f"{kind.__name__}.{field.name}"


def test_functions_take_the_fields_of_their_options() -> None:
    assert list(inspect.signature(lavlive.render).parameters) == list(
        inspect.signature(RenderOptions).parameters
    )
    with pytest.raises(lavlive.LavliveError, match="even numbers"):
        lavlive.render("song.wav", "song.mp4", size=(3, 3))


def test_the_example_of_the_page_makes_a_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
    examples = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    time = np.arange(22_050) / 44_100
    soundfile.write("song.wav", 0.3 * np.sin(2 * np.pi * 220 * time), 44_100)
    names: dict[str, object] = {}
    for example in examples:
        exec(compile(example, "docs/library.md", "exec"), names)
    done = names["done"]
    assert isinstance(done, lavlive.Rendered)
    assert done.pictures == 2
    assert done.video is not None
    assert done.video.stat().st_size > 1000


def test_the_wheel_ships_the_mark_of_a_typed_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == ["lavlive"]
