"""Counts what our own shaders cost: python -m tools.shader_counts [SHADER.fs …]

Each pass is compiled for itself to SPIR-V, its loops unrolled and optimised (glslang-tools and spirv-tools,
from Debian), and its instructions are counted: reads of textures, and arithmetic on single numbers (a vector
of three counts three; a sine, root or power counts as many as it has numbers, although cards take about four
times as long over it). Both sides of a branch count, and loops as often as they can run, so these are upper
bounds. Passes count by their share of the canvas.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from lavlive.resources import shipped
from lavlive.stage.canvas.isf.document import Document, read_document
from lavlive.stage.canvas.isf.glsl import fragment_source

CANVAS = {"WIDTH": 1920.0, "HEIGHT": 1080.0}
_ARITHMETIC = re.compile(
    r"Op(?:F|S|U|I)(?:Add|Sub|Mul|Div|Mod|Rem|Negate)|OpDot|Op\w*Times\w*|OpExtInst|OpSelect|Op(?:F|S|U|I)\w*Than\w*"
)
_READ = re.compile(r"OpImage(?:Sample|Fetch)")
_VECTOR = re.compile(r"(%\w+) = OpTypeVector %\w+ (\d)")


def counted(assembly: str) -> tuple[int, int]:
    """Reads and arithmetic of a disassembled shader."""
    widths = {name: int(size) for name, size in _VECTOR.findall(assembly)}
    reads = arithmetic = 0
    for line in assembly.splitlines():
        _, equals, right = line.partition(" = ")
        if not equals:
            continue
        words = right.split()
        if _READ.match(words[0]):
            reads += 1
        elif _ARITHMETIC.match(words[0]):
            wide = widths.get(words[1], 1)
            # A dot product of n numbers is n products and n − 1 sums; the width of what it takes is not said.
            arithmetic += 5 if words[0] == "OpDot" else wide
    return reads, arithmetic


def compiled(document: Document, number: int, folder: Path) -> str:
    """One pass in SPIR-V, optimised, as text."""
    source = fragment_source(document, version=450)
    source = source.replace("uniform int PASSINDEX;", f"const int PASSINDEX = {number};")
    source = re.sub(r"uniform bool (\w+);", r"uniform int int_\1;\n#define \1 (int_\1 != 0)", source)
    # Loops count as often as they can run.
    source = re.sub(r"if \([^;{}]*\) break;", "", source)
    source = re.sub(r"\bfor\s*\(", "[[unroll]] for (", source)
    version, _, rest = source.partition("\n")
    source = f"{version}\n#extension GL_EXT_control_flow_attributes : enable\n{rest}"
    path, binary = folder / "pass.frag", folder / "pass.spv"
    path.write_text(source, encoding="utf-8")
    _run("glslangValidator", "-G", "--aml", "--amb", "-o", str(binary), str(path))
    _run("spirv-opt", "-O", "--loop-unroll", "-O", str(binary), "-o", str(binary))
    return _run("spirv-dis", "--no-color", str(binary))


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stdout}{done.stderr}")
    return done.stdout


def cost(document: Document) -> tuple[float, float]:
    """Reads and arithmetic for a pixel of the canvas, of all passes together."""
    reads = arithmetic = 0.0
    numbers = CANVAS | {one.name: one.default[0] for one in document.inputs if one.default}
    with tempfile.TemporaryDirectory() as folder:
        for number, stage in enumerate(document.passes):
            width = stage.width.at(numbers) if stage.width is not None else CANVAS["WIDTH"]
            height = stage.height.at(numbers) if stage.height is not None else CANVAS["HEIGHT"]
            share = width * height / (CANVAS["WIDTH"] * CANVAS["HEIGHT"])
            one = counted(compiled(document, number, Path(folder)))
            reads, arithmetic = reads + share * one[0], arithmetic + share * one[1]
    return reads, arithmetic


def main() -> int:
    """The tool."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("shaders", nargs="*", type=Path)
    options = parser.parse_args()
    print("| shader | reads | arithmetic |\n|---|---|---|")
    for path in options.shaders or sorted((shipped("shaders") / "isf").glob("*.fs")):
        reads, arithmetic = cost(read_document(path))
        print(f"| {path.stem} | {reads:.1f} | {arithmetic:.0f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
