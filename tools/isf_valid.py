"""Whether an ISF file is valid by itself, without lavlive's reader: python -m tools.isf_valid FILE…

The header is read by Python's own `json`. The GLSL is put below what the ISF pages promise
(uniforms for inputs, buffers and images; TIME and its like; the IMG functions) and given to Khronos' own
compiler (glslang-tools, from Debian) as each kind of GLSL that hosts of ISF have used: 1.20, 4.50 with what
is older, ES 1.00 and 3.00. A file is valid where one of them takes it; else its fault in 4.50 is told.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

_KINDS = {
    **dict.fromkeys(("event", "bool"), "bool"),
    "long": "int",
    "float": "float",
    "point2d": "vec2",
    "color": "vec4",
    **dict.fromkeys(("image", "audio", "audiofft"), "sampler2D"),
}
_VERSIONS = ("120", "450 compatibility", "100", "300 es")
_PROMISED = """
uniform float TIME; uniform float TIMEDELTA; uniform int FRAMEINDEX; uniform int PASSINDEX;
uniform vec2 RENDERSIZE; uniform vec4 DATE;
vec4 isf_pixel(sampler2D image, vec2 at) { return TEXTURE(image, at); }
vec4 isf_pixel(sampler2D image, vec2 at, float bias) { return TEXTURE(image, at); }
#define vv_FragNormCoord isf_FragNormCoord
#define IMG_NORM_PIXEL isf_pixel
#define IMG_PIXEL isf_pixel
#define IMG_THIS_PIXEL(image) isf_pixel(image, isf_FragNormCoord)
#define IMG_THIS_NORM_PIXEL(image) isf_pixel(image, isf_FragNormCoord)
#define IMG_SIZE(image) RENDERSIZE
"""
_ERROR = re.compile(r"ERROR: [^:]*:(\d+): (.+)")


def fault(path: Path) -> str | None:
    """What is wrong with a file, on a line; None where nothing is.

    Raises:
        OSError: glslang-tools are not there, or the file is not.
    """
    text = path.read_text(encoding="utf-8-sig", errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    begin, end = text.find("/*"), text.find("*/")
    if not 0 <= begin < end:
        return "no header"
    try:
        # Commas too many are let pass: every host does.
        header = json.loads(re.sub(r",(\s*[}\]])", r"\1", text[begin + 2 : end]), strict=False)
        names = _names(header)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        return f"header: {error}"
    code = text[:begin] + "\n" * text.count("\n", begin, end) + text[end + 2 :]
    code = re.sub(r"^[ \t]*#[ \t]*(?:version|extension)\b[^\n]*", "", code, flags=re.MULTILINE)
    found = [_compiled(code, names, version) for version in _VERSIONS]
    return None if None in found else found[_VERSIONS.index("450 compatibility")]


def _names(header: dict[str, object]) -> dict[str, str]:
    """What the header promises, by name: kinds in GLSL."""
    found: dict[str, str] = {}
    inputs, passes, imported = (header.get(key) or [] for key in ("INPUTS", "PASSES", "IMPORTED"))
    for one in inputs:  # type: ignore[attr-defined]
        found[one["NAME"]] = _KINDS[str(one["TYPE"]).lower()]
    buffers = header.get("PERSISTENT_BUFFERS") or []
    for name in buffers:  # type: ignore[attr-defined]
        found[name] = "sampler2D"
    for one in passes:  # type: ignore[attr-defined]
        if one.get("TARGET"):
            found[one["TARGET"]] = "sampler2D"
    listed = imported if isinstance(imported, list) else [{"NAME": n, **v} for n, v in imported.items()]  # type: ignore[attr-defined]
    for one in listed:
        found[one["NAME"]] = "samplerCube" if one.get("TYPE") == "cube" else "sampler2D"
    return found


def _compiled(code: str, names: dict[str, str], version: str) -> str | None:
    """The first fault that the compiler finds, or None."""
    new = version in ("450 compatibility", "300 es")
    lines = [
        f"#version {version}",
        "#extension GL_OES_standard_derivatives : enable" if version == "100" else "",
    ]
    if version in ("100", "300 es"):
        lines.append("precision highp float; precision highp int;")
    lines.append(f"{'in' if new else 'varying'} vec2 isf_FragNormCoord;")
    if new:
        lines.append("#define varying in\n#define texture2D texture\n#define textureCube texture")
    if version == "300 es":
        lines.append("out vec4 isf_colour;\n#define gl_FragColor isf_colour")
    lines.append(_PROMISED.replace("TEXTURE", "texture" if new else "texture2D"))
    lines += [f"uniform {kind} {name};" for name, kind in names.items()]
    for name, kind in names.items():
        if kind == "sampler2D":
            lines.append(
                f"uniform vec4 _{name}_imgRect; uniform vec2 _{name}_imgSize; uniform bool _{name}_flip;"
            )
    lines += ["#line 1", code, ""]
    with tempfile.NamedTemporaryFile("w", suffix=".frag", encoding="utf-8") as file:
        file.write("\n".join(lines))
        file.flush()
        done = subprocess.run(["glslangValidator", file.name], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return None
    found = _ERROR.search(done.stdout)
    return f"line {found[1]}: {found[2]}" if found else (done.stdout.strip().splitlines() or ["?"])[-1]


def main() -> int:
    """The tool."""
    if len(sys.argv) < 2:
        print((__doc__ or "").splitlines()[0])
        return 2
    bad = 0
    for path in map(Path, sys.argv[1:]):
        reason = fault(path)
        bad += reason is not None
        print(f"{path.name}: {reason or 'valid'}")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
