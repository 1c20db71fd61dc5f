"""A small fixed-width font for notices in the window's corner: letters of 5 x 7 pixels, capitals only."""

from __future__ import annotations

import numpy as np

WIDTH, HEIGHT = 5, 7

# Seven rows of five pixels from the top, each row two hexadecimal digits, the leftmost pixel = 0x10.
_GLYPHS = {
    " ": "00000000000000",
    "A": "0E11111F111111",
    "B": "1E11111E11111E",
    "C": "0E11101010110E",
    "D": "1E11111111111E",
    "E": "1F10101E10101F",
    "F": "1F10101E101010",
    "G": "0E11101711110F",
    "H": "1111111F111111",
    "I": "0E04040404040E",
    "J": "0702020202120C",
    "K": "11121418141211",
    "L": "1010101010101F",
    "M": "111B1515111111",
    "N": "11111915131111",
    "O": "0E11111111110E",
    "P": "1E11111E101010",
    "Q": "0E11111115120D",
    "R": "1E11111E141211",
    "S": "0F10100E01011E",
    "T": "1F040404040404",
    "U": "1111111111110E",
    "V": "11111111110A04",
    "W": "1111111515150A",
    "X": "11110A040A1111",
    "Y": "1111110A040404",
    "Z": "1F01020408101F",
    "0": "0E11131519110E",
    "1": "040C040404040E",
    "2": "0E11010204081F",
    "3": "1F02040201110E",
    "4": "02060A121F0202",
    "5": "1F101E0101110E",
    "6": "0608101E11110E",
    "7": "1F010204080808",
    "8": "0E11110E11110E",
    "9": "0E11110F01020C",
    ".": "00000000000C0C",
    ",": "000000000C0408",
    ":": "000C0C000C0C00",
    ";": "000C0C000C0408",
    "-": "0000001F000000",
    "+": "0004041F040400",
    "=": "00001F001F0000",
    "_": "0000000000001F",
    "/": "00010204081000",
    "%": "18190204081303",
    "(": "02040808080402",
    ")": "08040202020408",
    "[": "0E08080808080E",
    "]": "0E02020202020E",
    "<": "02040810080402",
    ">": "08040201020408",
    "'": "0C040800000000",
    '"': "0A0A0A00000000",
    "!": "04040404000004",
    "?": "0E110102040004",
    "*": "0004150E150400",
    "#": "0A0A1F0A1F0A0A",
    "&": "0C12140815120D",
    "@": "0E11010D15150E",
}


def text_image(text: str) -> np.ndarray:
    """One line of text as uint8 [9, W], 255 where there is ink, with a margin of one pixel.

    Letters become capitals; a character that the font lacks becomes a question mark.
    """
    columns = max(1, len(text))
    image = np.zeros((HEIGHT + 2, columns * (WIDTH + 1) + 1), np.uint8)
    for index, character in enumerate(text.upper()):
        rows = bytes.fromhex(_GLYPHS.get(character, _GLYPHS["?"]))
        bits = np.unpackbits(np.frombuffer(rows, np.uint8)[:, None], axis=1)[:, 8 - WIDTH :]
        left = 1 + index * (WIDTH + 1)
        image[1 : 1 + HEIGHT, left : left + WIDTH] = bits * 255
    return image
