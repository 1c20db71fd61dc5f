"""The weights are fetched whole and right, or not at all; a server on this machine stands in for the net."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lavlive.commands.main import main
from lavlive.encoder import fetch as fetching
from lavlive.encoder.fetch import fetch_encodec, fetch_published
from lavlive.errors import DownloadError
from lavlive.files import replacing

CONTENT = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(BaseHTTPRequestHandler):
    requests = 0

    def do_GET(self) -> None:
        Server.requests += 1
        if self.path == "/missing":
            self.send_error(404)
            return
        self.send_response(200)
        if self.path != "/endless":
            self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        try:
            self.wfile.write(CONTENT[:1000] if self.path == "/broken" else CONTENT)
        except ConnectionError:
            self.close_connection = True

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    Server.requests = 0
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join(30)


def fetch(address: str, folder: Path, page: str = "/weights", **more: Any) -> Path:
    return fetch_encodec(url=address + page, target=folder / "weights.th", **{"sha256": SHA256, **more})


def test_every_published_encoder_is_fetched_whole_with_what_is_known_of_it(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(fetching, "cache_folder", lambda: tmp_path)
    known = replace(fetching.PUBLISHED["encodec-48khz"].files[0], sha256=SHA256[:8])
    for name, files in (
        ("encodec-32khz", ["encodec_32khz/config.json", "encodec_32khz/model.safetensors"]),
        ("encodec-48khz", [known.name]),
    ):
        published = fetching.PUBLISHED[name]
        if name == "encodec-48khz":
            with pytest.raises(DownloadError, match="not the file that was promised"):
                fetch_published(name, server=address)
            published = replace(published, files=(known,))
        served = tuple(replace(file, url=f"{address}/{file.name}") for file in published.files)
        monkeypatch.setitem(fetching.PUBLISHED, name, replace(published, files=served))
        assert main(["model", "fetch", name]) == 0
        said = capsys.readouterr().out
        assert "CC BY-NC 4.0" in said
        assert SHA256 in said
        assert ("is not checked" in said) is (name == "encodec-32khz")
        for file in files:
            assert (tmp_path / file).read_bytes() == CONTENT
    asked = Server.requests
    fetch_published("encodec-32khz", server=address)
    assert Server.requests == asked


def test_the_file_arrives_whole_with_progress(address: str, tmp_path: Path):
    told: list[tuple[int, int | None]] = []
    path = fetch(address, tmp_path, progress=lambda received, expected: told.append((received, expected)))
    assert path.read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert [file.name for file in tmp_path.iterdir()] == ["weights.th"]


def test_what_is_there_already_is_not_fetched_again(address: str, tmp_path: Path):
    fetch(address, tmp_path)
    fetch(address, tmp_path)
    assert Server.requests == 1


def test_a_damaged_copy_is_fetched_again(address: str, tmp_path: Path):
    (tmp_path / "weights.th").write_bytes(b"half of it")
    assert fetch(address, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("page", "more", "reason"),
    [
        ("/missing", {}, "404"),
        ("/weights", {"sha256": "0" * 64}, "not the file that was promised"),
        ("/broken", {}, "broke|cannot download"),
        ("/weights", {"largest": 1000}, "at most 1,000"),
        ("/endless", {"largest": 300_000}, "more than 300,000"),
    ],
)
def test_a_failure_says_why_and_keeps_what_was_there(
    address: str, tmp_path: Path, page: str, more: dict[str, object], reason: str
):
    older = tmp_path / "weights.th"
    older.write_bytes(b"older")
    with pytest.raises(DownloadError, match=reason) as caught:
        fetch(address, tmp_path, page, **more)
    assert str(caught.value).count("\n") <= 1
    assert older.read_bytes() == b"older"
    assert [file.name for file in tmp_path.iterdir()] == ["weights.th"]


def test_without_a_network_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        port = server.server_address[1]
    with pytest.raises(DownloadError, match=r"cannot download .*refused.*\n.*--encoder FILE"):
        fetch(f"http://127.0.0.1:{port}", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_says_so(address: str, tmp_path: Path):
    with replacing(tmp_path / "weights.th") as beside:
        beside.touch()
    (tmp_path / "weights.th").unlink()
    beside.symlink_to("/dev/full")
    with pytest.raises(DownloadError, match="full; make room"):
        fetch(address, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_says_so(address: str, tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DownloadError, match="cannot write"):
        fetch(address, tmp_path / "file" / "folder")
