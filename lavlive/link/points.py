"""Points of W that pictures were found at: a file that ``lavlive model project`` writes and shows read.

    model    the hash of the model that they are of
    names    [n], of the pictures
    w        float32 [n, 3, w_dim], of the coarse, middle and fine layers

What else is in it is the command's own. Nothing in such a file is run.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np

from lavlive.errors import UsageError
from lavlive.files import read_whole
from lavlive.link.keyframes import MOST, Keyframe, kept

_LARGEST = 64 << 20


def read_points(path: Path) -> tuple[Keyframe, ...]:
    """The points of a file as keyframes, the first 16 of them.

    Raises:
        UsageError: the file cannot be read, or holds no points.
    """
    try:
        content = read_whole(path, _LARGEST)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _LARGEST:
                raise UsageError(f"{path} unpacks to more than any file of points holds.")
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            model, w = str(stored["model"]), np.asarray(stored["w"], np.float32)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.") from error
    except UsageError:
        raise
    except Exception as error:  # whatever a file of another kind makes numpy raise
        raise UsageError(f"{path} holds no points; make some with lavlive model project.") from error
    if not model or w.ndim != 3 or w.shape[1] != 3 or not np.isfinite(w).all():
        raise UsageError(f"{path} holds no points; make some with lavlive model project.")
    return tuple(kept(model, point) for point in w[:MOST])
