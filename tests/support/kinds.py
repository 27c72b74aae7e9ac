"""Small clips of six kinds of content, drawn by numbers: what films are made of, without a film."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from activities.ffmpeg import ffmpeg_path

Picture = npt.NDArray[np.float64]

WIDTH, HEIGHT, FPS = 160, 90, 15
_WORDS = ("the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "while", "packets")


def texture(width: int, height: int, octaves: int, seed: int) -> Picture:
    """Noise like that of nature, from 0 to 1."""
    chance, made = np.random.default_rng(seed), np.zeros((height, width))
    for octave in range(octaves):
        cells = chance.random((3 * 2**octave, 4 * 2**octave)) * 255
        small = Image.fromarray(cells.astype("uint8"))
        large = small.resize((width, height), Image.Resampling.BICUBIC)
        made += np.asarray(large, float) * 0.75**octave
    made -= made.min()
    return made / made.max()


def slides(count: int) -> Iterator[Picture]:
    """Three slides, each for a third of the time."""
    for number in range(count):
        page = number * 3 // count
        image = Image.new("RGB", (WIDTH, HEIGHT), "white")
        draw = ImageDraw.Draw(image)
        draw.rectangle((0, 0, WIDTH, 11), fill=[(30, 80, 160), (160, 60, 40), (40, 120, 70)][page])
        draw.text((8, 0), f"Chapter {page + 1}", fill="white")
        for line in range(5):
            words = " ".join(_WORDS[page + 2 * line : page + 2 * line + 3])
            draw.text((12, 16 + 14 * line), words, fill=(30, 30, 30))
        yield np.asarray(image, float)


def head(count: int) -> Iterator[Picture]:
    """A face that talks before a wall."""
    wall, skin = texture(WIDTH, HEIGHT, 3, 3), texture(WIDTH, HEIGHT, 6, 4)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    for number in range(count):
        middle = 80 + 2 * np.sin(number / 5)
        shade = 90 + 60 * wall
        face = ((x - middle) / 21) ** 2 + ((y - 43) / 27) ** 2 < 1
        shade[face] = (150 + 60 * skin)[face]
        shade[face & (y < 28)] = 40
        for side in (-8, 8):
            shade[((x - middle - side) / 3) ** 2 + ((y - 39) / 2) ** 2 < 1] = 30
        open_ = 1 + 3 * abs(np.sin(number / 2))
        shade[((x - middle) / 6) ** 2 + ((y - 56) / open_) ** 2 < 1] = 70
        yield np.repeat(shade[..., None], 3, axis=2)


def grain(count: int) -> Iterator[Picture]:
    """The same on film."""
    chance = np.random.default_rng(1)
    for picture in head(count):
        yield picture + chance.normal(0, 4, (HEIGHT, WIDTH, 1))


def sport(count: int) -> Iterator[Picture]:
    """A pan over a field with a crowd behind it."""
    field = texture(3 * WIDTH, HEIGHT, 7, 5) * 60 + 70
    field[: HEIGHT // 4] = np.random.default_rng(2).random((HEIGHT // 4, 3 * WIDTH)) * 200 + 20
    for number in range(count):
        left = int(2 * WIDTH * (0.5 - 0.5 * np.cos(5 * number / count)))
        shade = field[:, left : left + WIDTH].copy()
        for player in range(5):
            at = (40 * player + 3 * number * (1 if player % 2 else -1)) % WIDTH
            shade[40 + 6 * player : 52 + 6 * player, at : at + 5] = 235 if player % 2 else 30
        yield np.repeat(shade[..., None], 3, axis=2)


def animation(count: int) -> Iterator[Picture]:
    """A ball that jumps over a meadow, drawn for every other frame."""
    for number in range(count):
        held = number // 2 * 2
        image = Image.new("RGB", (4 * WIDTH, 4 * HEIGHT), (120, 190, 240))
        draw = ImageDraw.Draw(image)
        draw.rectangle((0, 250, 640, 360), fill=(110, 190, 80))
        left, top = 60 + 5 * held, 190 - abs(np.sin(held / 6)) * 120
        draw.ellipse((left, top, left + 90, top + 90), fill=(240, 90, 60), outline="black", width=6)
        yield np.asarray(image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS), float)


def screen(count: int) -> Iterator[Picture]:
    """A dark terminal that somebody types into."""
    text = " ".join(_WORDS * 3)
    for number in range(count):
        image = Image.new("RGB", (WIDTH, HEIGHT), (30, 30, 30))
        draw = ImageDraw.Draw(image)
        draw.rectangle((0, 0, WIDTH, 8), fill=(90, 90, 100))
        typed = text[: 20 + number]
        for line in range(0, len(typed), 22):
            draw.text((6, 12 + line // 22 * 12), typed[line : line + 22], fill=(210, 220, 210))
        yield np.asarray(image, float)


KINDS: dict[str, Callable[[int], Iterator[Picture]]] = {
    kind.__name__: kind for kind in (slides, head, grain, sport, animation, screen)
}


def kind(directory: Path, name: str, seconds: int = 6) -> Path:
    """A clip of one of KINDS in the directory."""
    path = directory / f"kind-{name}-{seconds}.mp4"
    if not path.exists():
        raw = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(FPS))
        coded = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "18", "-pix_fmt", "yuv420p")
        command = [str(ffmpeg_path()), "-y", "-v", "error", *raw, "-i", "-", *coded, str(path)]
        frames = (
            np.clip(one, 0, 255).astype("uint8").tobytes() for one in KINDS[name](seconds * FPS)
        )
        subprocess.run(command, input=b"".join(frames), check=True, timeout=120)
    return path
