"""From the GLSL of ISF files (1.20, or that of WebGL) to the core profile of OpenGL 3.3.

Comments are blanked, a few words are replaced, and what ISF promises is put in front. `#line` keeps the
numbers of the file, so a compiler's message points where the author looks.
"""

from __future__ import annotations

import re

from lavlive.stage.canvas.isf.document import Document
from lavlive.stage.canvas.isf.inputs import InputKind
from lavlive.stage.canvas.isf.relaxed import with_overloads, without_repeats

_TYPES = {
    InputKind.EVENT: "bool",
    InputKind.BOOL: "bool",
    InputKind.LONG: "int",
    InputKind.FLOAT: "float",
    InputKind.POINT: "vec2",
    InputKind.COLOR: "vec4",
    InputKind.IMAGE: "sampler2D",
    InputKind.AUDIO: "sampler2D",
    InputKind.FFT: "sampler2D",
}
_COMMENTS = re.compile(r"//[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
_DROPPED = re.compile(r"^[ \t]*#[ \t]*(?:version|extension|line)\b[^\n]*", re.MULTILINE)
_WORD = re.compile(r"(?<![\w])([A-Za-z_]\w*)(\s*\()?")
_FRAG_DATA = re.compile(r"\bgl_FragData\s*\[\s*\d+\s*\]")
_TEX_COORD = re.compile(r"\bgl_TexCoord\s*\[\s*\d+\s*\]")
_OWN_UNIFORM = re.compile(r"\buniform\s+(?:(?:low|medium|high)p\s+)?\w+\s+(\w+)\s*(?:\[[^\]]*\])?\s*;")
_OWN_OUTPUT = re.compile(r"(?:layout\s*\([^)]*\)\s*)?\bout\s+vec4\s+(\w+)\s*;")

_RENAMED = {
    "gl_FragColor": "isf_FragColor",
    "vv_FragNormCoord": "isf_FragNormCoord",
    "vv_vertShaderInit": "isf_vertShaderInit",
    "sampler2DRect": "sampler2D",
    "texture2D": "isf_texture2D",
    "texture2DLod": "textureLod",
    "texture2DLodEXT": "textureLod",
    "texture2DGradEXT": "textureGrad",
    "texture2DGradARB": "textureGrad",
    "texture2DProj": "textureProj",
    "texture2DRect": "IMG_PIXEL",
    "textureCube": "isf_textureCube",
    "textureCubeLodEXT": "textureLod",
    "gl_Vertex": "isf_Vertex",
    "gl_MultiTexCoord0": "vec4(isf_Corner, 0.0, 1.0)",
    "gl_ModelViewProjectionMatrix": "mat4(1.0)",
    "gl_ModelViewMatrix": "mat4(1.0)",
    "gl_ProjectionMatrix": "mat4(1.0)",
    "gl_TextureMatrix": "isf_TextureMatrix",
    "ftransform": "isf_ftransform",
}
# Words that 1.20 left to everybody, or that it reserved and hosts let pass.
_RESERVED_WORDS = """
    smooth flat noperspective centroid sample patch layout common partition active filter input
    output half fixed resource superp template this packed goto switch case default inline noinline
    volatile public static extern external interface long short double unsigned cast namespace using
    class union enum typedef sizeof hvec2 hvec3 hvec4 dvec2 dvec3 dvec4 fvec2 fvec3 fvec4 row_major
    image1D image2D image3D iimage2D uimage2D buffer shared coherent restrict readonly writeonly
    subroutine atomic_uint sampler precise
"""
_RESERVED = frozenset(_RESERVED_WORDS.split())
_USED_AS_THEY_ARE = frozenset({"switch", "case", "default", "layout"})
_QUALIFIERS = frozenset({"flat", "smooth", "centroid"})
_QUALIFIED = re.compile(r"\s*(?:in|out|varying|centroid)\b")
_FUNCTION_WORDS = """
    radians degrees sin cos tan asin acos atan sinh cosh tanh pow exp log exp2 log2 sqrt inversesqrt
    abs sign floor trunc round ceil fract mod modf min max clamp mix step smoothstep isnan isinf
    length distance dot cross normalize reflect refract faceforward transpose inverse determinant
    any all not equal texture textureSize textureLod dFdx dFdy fwidth noise1 noise2 noise3 lessThan
    greaterThan notEqual outerProduct matrixCompMult
"""
_FUNCTIONS = frozenset(_FUNCTION_WORDS.split())

_COMMON = """uniform float TIME;
uniform float TIMEDELTA;
uniform int FRAMEINDEX;
uniform int PASSINDEX;
uniform vec2 RENDERSIZE;
uniform vec4 DATE;
vec2 IMG_SIZE(sampler2D image) { return vec2(textureSize(image, 0)); }
"""
_FRAGMENT = """in vec2 isf_FragNormCoord;
const mat4 isf_TextureMatrix[4] = mat4[4](mat4(1.0), mat4(1.0), mat4(1.0), mat4(1.0));
vec4 isf_texture2D(sampler2D image, vec2 at) { return texture(image, at); }
vec4 isf_texture2D(sampler2D image, vec2 at, float bias) { return texture(image, at, bias); }
vec4 isf_textureCube(samplerCube image, vec3 at) { return texture(image, at); }
vec4 isf_textureCube(samplerCube image, vec3 at, float bias) { return texture(image, at, bias); }
vec4 IMG_NORM_PIXEL(sampler2D image, vec2 at) { return texture(image, at); }
vec4 IMG_NORM_PIXEL(sampler2D image, vec2 at, float bias) { return texture(image, at, bias); }
vec4 IMG_PIXEL(sampler2D image, vec2 at) { return texture(image, at / IMG_SIZE(image)); }
vec4 IMG_PIXEL(sampler2D image, vec2 at, float bias) { return texture(image, at / IMG_SIZE(image), bias); }
vec4 IMG_THIS_PIXEL(sampler2D image) { return texture(image, isf_FragNormCoord); }
vec4 IMG_THIS_PIXEL(sampler2D image, float bias) { return texture(image, isf_FragNormCoord, bias); }
vec4 IMG_THIS_NORM_PIXEL(sampler2D image) { return texture(image, isf_FragNormCoord); }
vec4 IMG_THIS_NORM_PIXEL(sampler2D image, float bias) { return texture(image, isf_FragNormCoord, bias); }
"""
_VERTEX = """out vec2 isf_FragNormCoord;
#define isf_Corner vec2(gl_VertexID & 1, gl_VertexID >> 1)
#define isf_Vertex vec4(isf_Corner * RENDERSIZE, 0.0, 1.0)
const mat4 isf_TextureMatrix[4] = mat4[4](mat4(1.0), mat4(1.0), mat4(1.0), mat4(1.0));
vec4 isf_texture2D(sampler2D image, vec2 at) { return textureLod(image, at, 0.0); }
vec4 isf_textureCube(samplerCube image, vec3 at) { return textureLod(image, at, 0.0); }
vec4 IMG_NORM_PIXEL(sampler2D image, vec2 at) { return textureLod(image, at, 0.0); }
vec4 IMG_PIXEL(sampler2D image, vec2 at) { return textureLod(image, at / IMG_SIZE(image), 0.0); }
vec4 IMG_THIS_PIXEL(sampler2D image) { return textureLod(image, isf_Corner, 0.0); }
vec4 IMG_THIS_NORM_PIXEL(sampler2D image) { return textureLod(image, isf_Corner, 0.0); }
vec4 isf_ftransform() { return vec4(isf_Corner * 2.0 - 1.0, 0.0, 1.0); }
void isf_vertShaderInit() { gl_Position = isf_ftransform(); isf_FragNormCoord = isf_Corner; }
"""
_PLAIN_VERTEX = "void main() { isf_vertShaderInit(); }\n"


def fragment_source(
    document: Document, relaxed: bool = False, version: int = 330, number: int | None = None
) -> str:
    """The fragment shader, complete.

    Args:
        number: of the pass that it is for, where each has a program of its own.
        relaxed: let pass what older compilers did: constants computed from what is none, helpers twice,
            functions beside GLSL's own of the same name, and, where the driver has OpenGL 4.2, numbers of
            one type returned as another.
    """
    code = _translate(document.fragment, document, varying="in")
    outputs = _OWN_OUTPUT.findall(code)
    if relaxed:
        code = re.sub(r"\bconst\b(?!\s+int\b)", "", with_overloads(without_repeats(code)))
    output = "" if outputs and "isf_FragColor" not in code else "out vec4 isf_FragColor;\n"
    common = _common(number)
    return f"#version {version} core\n{common}{_FRAGMENT}{output}{_uniforms(document)}#line 1\n{code}\n"


def vertex_source(document: Document, version: int = 330, number: int | None = None) -> str:
    """The vertex shader, complete; the usual one where the file has none."""
    code = _PLAIN_VERTEX
    if document.vertex is not None:
        code = _translate(document.vertex, document, varying="out")
    return f"#version {version} core\n{_common(number)}{_VERTEX}{_uniforms(document)}#line 1\n{code}\n"


def _common(number: int | None) -> str:
    if number is None:
        return _COMMON
    return _COMMON.replace("uniform int PASSINDEX;", f"const int PASSINDEX = {number};")


def variable(document: Document, name: str) -> str:
    """What an input, target or image is called in the translated code."""
    return _renames(document).get(name, name)


def _uniforms(document: Document) -> str:
    renames = _renames(document)
    lines = []
    declared: set[str] = set()

    def declare(kind: str, name: str) -> None:
        if name in declared:
            return
        declared.add(name)
        own = renames.get(name, name)
        lines.append(f"uniform {kind} {own};\n")
        if kind == "sampler2D":
            lines.append(f"#define _{name}_imgSize IMG_SIZE({own})\n")
            lines.append(f"#define _{name}_imgRect vec4(0.0, 0.0, 1.0, 1.0)\n#define _{name}_flip false\n")

    for one in document.inputs:
        declare(_TYPES[one.kind], one.name)
    for image in document.imported:
        declare("samplerCube" if image.is_cube else "sampler2D", image.name)
    for stage in document.passes:
        if stage.target is not None:
            declare("sampler2D", stage.target)
    return "".join(lines)


def _names(document: Document) -> set[str]:
    names = {one.name for one in document.inputs} | {image.name for image in document.imported}
    return names | {stage.target for stage in document.passes if stage.target is not None}


def _renames(document: Document) -> dict[str, str]:
    """Inputs whose names mean something else in GLSL 3.30."""
    return {name: f"isf_own_{name}" for name in _names(document) if name in _RESERVED | _FUNCTIONS}


def _translate(code: str, document: Document, varying: str) -> str:
    names, renames = _names(document), _renames(document)
    code = _COMMENTS.sub(lambda comment: " " + "\n" * comment[0].count("\n"), code)
    code = _DROPPED.sub("", code)
    code = _FRAG_DATA.sub("isf_FragColor", code)
    code = _TEX_COORD.sub("vec4(isf_FragNormCoord, 0.0, 1.0)", code)
    code = _OWN_UNIFORM.sub(lambda own: "" if own[1] in names or own[1] in _OURS else own[0], code)
    for one in document.inputs:
        if one.kind is InputKind.POINT:
            # Converted from Shadertoy, whose mouse has two numbers more: where it was pressed. It never was.
            code = re.sub(rf"\b{one.name}\s*\.\s*[zw]{{2}}\b", "vec2(0.0)", code)
            code = re.sub(rf"\b{one.name}\s*\.\s*[zw]\b", "0.0", code)
    code = re.sub(rf"\b(?:varying|{varying})\s+vec2\s+(?:isf|vv)_FragNormCoord\s*;", "", code)
    spare = _RESERVED - _USED_AS_THEY_ARE

    def word(found: re.Match[str]) -> str:
        name, call = found[1], found[2] or ""
        if name in renames:
            # A function of the same name goes on to be one.
            return name + call if call and name in _FUNCTIONS else renames[name] + call
        if name in _RENAMED:
            return _RENAMED[name] + call
        if name == "varying":
            return varying
        if name == "attribute":
            return "in"
        if name in _QUALIFIERS and _QUALIFIED.match(found.string, found.end(1)):
            return found[0]
        if name in spare:
            return f"isf_own_{name}{call}"
        return found[0]

    return _WORD.sub(word, code)


_OURS = frozenset({"TIME", "TIMEDELTA", "FRAMEINDEX", "PASSINDEX", "RENDERSIZE", "DATE"})
