"""Values as they are typed on the command line: sizes, pictures per second, settings of parameters."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from lavlive.errors import UsageError

_FINEST_RATE = 1001
"""Lower number of the finest ratio that a video file's clock is sure to hold."""


def _sides(text: str, wanted: str) -> tuple[int, int]:
    width, _, height = text.strip().lower().replace("×", "x").partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise UsageError(f"{wanted}, not {text!r}.")
    return int(width), int(height)


def parse_size(text: str) -> tuple[int, int]:
    """Read ``WxH``; both even, as video codecs want, from 64 to 4096.

    Raises:
        UsageError: of another form or size.
    """
    return check_size(_sides(text, "A size is WIDTHxHEIGHT, for example 1920x1080"))


def check_size(size: tuple[int, int]) -> tuple[int, int]:
    """The size, if a video can have it: width and height even, from 64 to 4096.

    Raises:
        UsageError: it cannot.
    """
    if any(side % 2 or not 64 <= side <= 4096 for side in size):
        raise UsageError(f"Width and height are even numbers from 64 to 4096, not {size[0]}x{size[1]}.")
    return size


def parse_canvas(text: str) -> tuple[int, int]:
    """Read ``WxH`` of a canvas.

    Raises:
        UsageError: of another form or size.
    """
    return check_canvas(_sides(text, "A canvas is WIDTHxHEIGHT, for example 3840x1080"))


def check_canvas(size: tuple[int, int]) -> tuple[int, int]:
    """The size, if a canvas can have it: from 64 to 8192 wide and 4096 high.

    Raises:
        UsageError: it cannot.
    """
    if not (64 <= size[0] <= 8192 and 64 <= size[1] <= 4096):
        raise UsageError(f"A canvas is 64 to 8192 wide and 64 to 4096 high, not {size[0]}x{size[1]}.")
    return size


def check_model_output(output: Path) -> None:
    """See that a model can be written under that name.

    Raises:
        UsageError: of another ending.
    """
    if output.suffix != ".safetensors":
        raise UsageError(f"{output}: lavlive writes safetensors; let the name end in .safetensors")


def split_setting(text: str) -> tuple[str, str]:
    """Read ``NAME=VALUE``; whether there is such a parameter that takes the value is checked later.

    Raises:
        UsageError: no ``=``.
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--set takes NAME=VALUE, not {text!r}; for example --set mapper.y=1.5.")
    return name.strip(), value.strip()


_TELEVISION_RATES = {
    name: Fraction(round(float(name)) * 1000, 1001)
    for name in ("23.976", "23.98", "29.97", "47.95", "47.952", "59.94", "119.88")
}
"""What these numbers stand for: 29.97 pictures a second are 30000/1001."""


def parse_rate(typed: str | float | Fraction, option: str = "--fps") -> Fraction:
    """Read pictures per second: a number, or a ratio of two; from 1 to 120, kept exactly.

    Args:
        option: what is named where it is refused.

    Raises:
        UsageError: of another form, out of range, or finer than video files can hold.
    """
    text = str(typed).strip()
    try:
        rate = _TELEVISION_RATES.get(text) or Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise UsageError(
            f"{option} takes a number or a ratio, such as 25 or 30000/1001, not {text!r}."
        ) from None
    if not 1 <= rate <= 120:
        raise UsageError(f"{option} takes 1 to 120, not {text}.")
    if rate.denominator > _FINEST_RATE:
        raise UsageError(f"{option} takes a ratio whose lower number is at most {_FINEST_RATE}, not {text}.")
    return rate


def parse_slice(text: str, whole: tuple[int, int]) -> tuple[float, float, float, float]:
    """Read ``X,Y,W,H``, a part of a canvas of that width and height, as shares of it.

    In pixels, or as shares where no number is above 1.

    Raises:
        UsageError: of another form, empty, or beyond the whole.
    """
    try:
        numbers = [float(word) for word in text.split(",")]
    except ValueError:
        numbers = []
    # A third of a canvas is not written exactly as a share.
    slack = 0.002
    if len(numbers) == 4 and any(number > 1 for number in numbers):
        slack = 1e-9
        numbers = [number / side for number, side in zip(numbers, (*whole, *whole), strict=True)]
    x, y, w, h = numbers if len(numbers) == 4 else (0.0, 0.0, 0.0, 0.0)
    if not (x >= 0 and y >= 0 and w > 0 and h > 0 and x + w <= 1 + slack and y + h <= 1 + slack):
        raise UsageError(
            f"--slice takes X,Y,W,H inside the whole of {whole[0]}x{whole[1]}, in pixels or as shares, "
            f"such as 0.5,0,0.5,1 for the right half; not {text!r}."
        )
    return x, y, min(w, 1 - x), min(h, 1 - y)
