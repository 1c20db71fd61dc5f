"""Choosing a file in the panel: a list of a folder, and a path to type. It needs no desktop.

Folders are listed in a thread: a stick that was pulled out, or a server far away, must not stop the picture.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imgui_bundle import ImVec2, imgui

from lavlive.files import shown
from lavlive.stage.panel.widgets import DIM, WARN, fitted, say

_MOST_ENTRIES = 2000
_SIZE = ImVec2(640.0, 460.0)
_LEAST_HEIGHT = 120.0
_KEEP_OPEN = imgui.SelectableFlags_.no_auto_close_popups.value
_STICKS = [place for place in (Path("/media"), Path("/Volumes")) if place.is_dir()]


@dataclass(frozen=True)
class Folder:
    """What lies in a folder.

    Attributes:
        path: absolute.
        folders, files: names in their order, hidden ones left out.
        problem: why it cannot be listed, or that there is more than is shown; "" otherwise.
    """

    path: Path
    folders: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    problem: str = ""


def list_folder(path: Path, endings: Sequence[str]) -> Folder:
    """The folders in a folder, and its files of these endings (``.wav``)."""
    folders: list[str] = []
    files: list[str] = []
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if len(folders) + len(files) >= _MOST_ENTRIES:
                    problem = f"only {_MOST_ENTRIES} of what is here; type a path"
                    return _sorted(path, folders, files, problem)
                if _is_folder(entry):
                    folders.append(entry.name)
                elif entry.name.lower().endswith(tuple(endings)):
                    files.append(entry.name)
    except OSError as error:
        return _sorted(path, folders, files, f"{path} cannot be listed: {error.strerror or error}")
    return _sorted(path, folders, files, "")


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link into itself, or to where nobody may look: it hides nothing else
        return False


def _sorted(path: Path, folders: list[str], files: list[str], problem: str) -> Folder:
    return Folder(path, tuple(sorted(folders, key=str.lower)), tuple(sorted(files, key=str.lower)), problem)


class FileChooser:
    """A popup with a folder's list; `open` it, then `draw` it in every drawing.

    Args:
        what: what is chosen, as in "a track".
        endings: of the files that are shown; any path can be typed.
        start: the folder to begin in; the home folder where it is None or gone.
    """

    def __init__(self, what: str, endings: Sequence[str], start: Path | None = None) -> None:
        self._title = f"Choose {what}"
        self._endings = tuple(endings)
        self._start = start
        self._folder = Folder(Path())
        self._listing: Path | None = None  # written by both threads; the newest wins
        self._typed = ""
        self._wished = False
        self._chosen: Path | None = None

    @property
    def listing(self) -> bool:
        """Whether a folder is being listed."""
        return self._listing is not None

    def open(self) -> None:
        """Show it in the next drawing, with the folder it was left in."""
        self._wished = True
        self._go_to(self._folder.path if self._folder.path != Path() else self._start or _home())

    def draw(self) -> Path | None:
        """Draw it while it is open; the file that was chosen, once."""
        if self._wished:
            self._wished = False
            imgui.open_popup(self._title)
        size = imgui.get_io().display_size
        imgui.set_next_window_size(
            ImVec2(min(_SIZE.x, size.x - 40), min(_SIZE.y, size.y - 40)), imgui.Cond_.always.value
        )
        flags = imgui.WindowFlags_.no_saved_settings.value | imgui.WindowFlags_.no_resize.value
        if not imgui.begin_popup_modal(self._title, None, flags)[0]:
            return None
        self._draw_path()
        self._draw_list()
        if imgui.button("cancel") or imgui.is_key_pressed(imgui.Key.escape):
            imgui.close_current_popup()
        chosen, self._chosen = self._chosen, None
        if chosen is not None:
            imgui.close_current_popup()
        imgui.end_popup()
        return chosen

    def _draw_path(self) -> None:
        imgui.set_next_item_width(-1)
        entered, self._typed = imgui.input_text(
            "##path", self._typed, imgui.InputTextFlags_.enter_returns_true.value
        )
        if entered and self._typed.strip():
            path = Path(os.path.expanduser(self._typed.strip()))
            self._enter(path if path.is_absolute() else self._folder.path / path)
        places = {"up": self._folder.path.parent, "home": _home()}
        if _STICKS:
            places["disks"] = _STICKS[0]
        for name, place in places.items():
            if imgui.button(name):
                self._go_to(place)
            imgui.same_line()
        imgui.text_colored(DIM, "looking…" if self.listing else ", ".join(self._endings))

    def _draw_list(self) -> None:
        folder = self._folder
        left = imgui.get_frame_height_with_spacing()
        height = max(imgui.get_content_region_avail().y - left, _LEAST_HEIGHT)
        imgui.begin_child("list", ImVec2(0, height))
        if folder.problem:
            say(folder.problem, WARN)
        room = imgui.get_content_region_avail().x
        for name in folder.folders:
            if imgui.selectable(f"{fitted(name, room - 20)}/##{shown(name)}", False, _KEEP_OPEN)[0]:
                self._go_to(folder.path / name)
        for name in folder.files:
            if imgui.selectable(f"{fitted(name, room)}##{shown(name)}", False, _KEEP_OPEN)[0]:
                self._chosen = folder.path / name
        if not (folder.folders or folder.files or folder.problem or self.listing):
            say("nothing to choose here")
        imgui.end_child()

    def _enter(self, path: Path) -> None:
        """What was typed: a folder to look into, else a file, which whoever opens it may refuse."""
        if path.suffix.lower() in self._endings:
            self._chosen = path
        else:
            self._go_to(path)

    def _go_to(self, path: Path) -> None:
        self._listing = path
        self._typed = shown(path)
        threading.Thread(target=self._list, args=(path,), name="folder listing", daemon=True).start()

    def _list(self, path: Path) -> None:
        found = list_folder(path, self._endings)
        if self._listing == path:  # else somebody went on meanwhile
            self._folder, self._listing = found, None


def _home() -> Path:
    return Path(os.path.expanduser("~"))
