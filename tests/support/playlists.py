"""HLS playlists for the tests: made by ffmpeg, encrypted and cut by hand."""

import subprocess
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from activities.ffmpeg import ffmpeg_path


def segmented(
    folder: Path, source: Path, *options: str, kind: str = "mpegts", name: str = "film"
) -> Path:
    """Cut a file into segments of about half a second, the same packets; return the list."""
    folder.mkdir(parents=True, exist_ok=True)
    extension = "ts" if kind == "mpegts" else "m4s"
    command = [
        *(str(ffmpeg_path()), "-nostdin", "-y", "-v", "error", "-i", str(source), "-c", "copy"),
        *("-f", "hls", "-hls_time", "0.4", "-hls_playlist_type", "vod", "-hls_segment_type", kind),
        *("-hls_segment_filename", f"{name}-%d.{extension}"),
        *("-hls_fmp4_init_filename", f"{name}-init.mp4", *options, f"{name}.m3u8"),
    ]
    subprocess.run(command, check=True, cwd=folder, timeout=60)
    return folder / f"{name}.m3u8"


def segments(playlist: Path) -> list[str]:
    """The names of the segments of a list."""
    return [line for line in playlist.read_text().splitlines() if line and line[0] != "#"]


def rewritten(playlist: Path, *changes: tuple[str, str], name: str = "") -> Path:
    """Change the text of a list, each change once at least; under another name if one is given."""
    text = playlist.read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    target = playlist.with_name(name) if name else playlist
    target.write_text(text)
    return target


def encrypted(playlist: Path, secret: bytes, vectors: list[bytes], tag: str) -> Path:
    """Encrypt the segments of a list with AES-128 in place; `tag` is the EXT-X-KEY of the list."""
    for name, vector in zip(segments(playlist), vectors, strict=True):
        path = playlist.with_name(name)
        padding = PKCS7(128).padder()
        content = padding.update(path.read_bytes()) + padding.finalize()
        cipher = Cipher(algorithms.AES(secret), modes.CBC(vector)).encryptor()
        path.write_bytes(cipher.update(content) + cipher.finalize())
    return rewritten(playlist, ("#EXT-X-MEDIA-SEQUENCE", f"{tag}\n#EXT-X-MEDIA-SEQUENCE"))


def in_one_file(playlist: Path, name: str) -> Path:
    """Put the segments of a list into one file, and name their bytes in the list."""
    whole, lines = b"", []
    for line in playlist.read_text().splitlines():
        if line and line[0] != "#":
            content = playlist.with_name(line).read_bytes()
            lines += [f"#EXT-X-BYTERANGE:{len(content)}@{len(whole)}", name]
            whole += content
        else:
            lines.append(line)
    playlist.with_name(name).write_bytes(whole)
    playlist.write_text("\n".join(lines) + "\n")
    return playlist
