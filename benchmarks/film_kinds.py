"""Generated films of six kinds, which an encoder finds easy or hard for different reasons.

    python -m benchmarks.film_kinds DIRECTORY [--seconds 60] [--kind slides ...]

Slides stand still, a talking head moves a little, grain cannot be foretold, sport pans over detail
and cuts, animation moves flat shapes, and a screen scrolls sharp text. Each kind comes in two
films, of other seeds and other pace. 1280x720, 25 pictures in a second, in H.264 as what records
a screen makes it: an encoder that looks for motion, at a high rate.
"""

import argparse
import subprocess
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from activities.ffmpeg import ffmpeg_path

WIDTH, HEIGHT, RATE = 1280, 720, 25
KINDS = ("slides", "talk", "grain", "sport", "animation", "screen")

#: rows x columns x 3 bytes
Picture = np.ndarray[Any, np.dtype[np.uint8]]
Floats = np.ndarray[Any, np.dtype[np.float32]]
#: pictures without end; seeded, `pace` 1 or more says how much happens
Film = Callable[[np.random.Generator, float], Iterator[Picture]]

_TOLD = "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv"

_Y, _X = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)


def texture(random: np.random.Generator, height: int, width: int, *, falloff: float) -> Floats:
    """Return noise from -1 to 1 whose amplitude falls with the frequency, as in nature."""
    spectrum = np.fft.rfft2(random.standard_normal((height, width)))
    down = np.fft.fftfreq(height)[:, None]
    across = np.fft.rfftfreq(width)[None, :]
    spectrum /= np.maximum(np.hypot(down, across), 1 / max(height, width)) ** falloff
    flat = np.fft.irfft2(spectrum, s=(height, width)).astype(np.float32)
    return flat / np.abs(flat).max()


def noise(random: np.random.Generator) -> Iterator[Floats]:
    """Return fields of noise with a deviation of 1; a few are made, and shifted at random."""
    fields = random.standard_normal((8, HEIGHT, WIDTH), np.float32)
    while True:
        down, across = random.integers(0, (HEIGHT, WIDTH))
        yield np.roll(fields[random.integers(0, len(fields))], (int(down), int(across)), (0, 1))


def written(random: np.random.Generator, lines: int, size: int, width: int) -> Picture:
    """Return a page of what looks like text: dark strokes in words and lines, `size` high."""
    page = np.full((lines * size * 2, width, 3), 250, np.uint8)
    for line in range(lines):
        top, at = line * size * 2 + size // 2, size * 2
        end = width - size * int(random.integers(2, 12))
        while at < end:
            for _ in range(int(random.integers(2, 9))):  # the letters of a word
                for _ in range(int(random.integers(1, 4))):
                    down = top + int(random.integers(0, max(1, size - 3)))
                    tall, wide = int(random.integers(2, size)), max(2, size // 8)
                    side = at + int(random.integers(0, max(1, size // 2)))
                    page[down : min(down + tall, top + size), side : side + wide] = 30
                at += size // 2 + 2
            at += size // 2
    return page


def slides(random: np.random.Generator, pace: float) -> Iterator[Picture]:
    """Pages that stand for some seconds, one cut after the other."""
    while True:
        slide = np.full((HEIGHT, WIDTH, 3), 250, np.uint8)
        slide[:90] = random.integers(20, 160, 3)
        text = written(random, int(random.integers(4, 9)), 30, WIDTH - 160)
        slide[120 : 120 + len(text), 80:-80] = text[: HEIGHT - 120]
        if random.random() < 0.6:
            picture = texture(random, 260, 420, falloff=1.2)
            slide[420:680, 800:1220] = (128 + 120 * picture)[..., None] * random.random(3)
        for _ in range(int(RATE * 8 / pace)):
            yield slide


def talk(random: np.random.Generator, pace: float) -> Iterator[Picture]:
    """A head that sways and speaks before a blurred room, with the noise of a webcam."""
    room = 110 + 60 * texture(random, HEIGHT, WIDTH, falloff=2.2)
    skin = 25 * texture(random, HEIGHT, WIDTH, falloff=1.3)
    tint = np.array([1.0, 0.82, 0.7], np.float32)
    noises = noise(random)
    number = 0
    while True:
        moment = number / RATE
        x = 640 + 30 * np.sin(moment * 0.9 * pace) + 8 * np.sin(moment * 2.3 * pace)
        y = 360 + 14 * np.sin(moment * 1.3 * pace)
        face = ((_X - x) / 150) ** 2 + ((_Y - y) / 200) ** 2 < 1
        body = ((_X - x) / 330) ** 2 + ((_Y - 760) / 260) ** 2 < 1
        open_by = 6 + 16 * abs(np.sin(moment * 7 * pace)) * (np.sin(moment * 0.7) > -0.4)
        mouth = ((_X - x) / 45) ** 2 + ((_Y - y - 95) / open_by) ** 2 < 1
        eyes = ((np.abs(_X - x) - 55) / 18) ** 2 + ((_Y - y + 40) / 9) ** 2 < 1
        moved = np.roll(skin, (int(y) - 360, int(x) - 640), (0, 1))
        light = np.where(body, 70 + 0.6 * moved, room)
        light = np.where(face, 175 + moved - 0.09 * (_X - x), light)
        light = np.where(mouth | eyes, 45, light)
        light += next(noises) * 1.2
        yield np.clip(light[..., None] * tint, 0, 255).astype(np.uint8)
        number += 1


def grain(random: np.random.Generator, pace: float) -> Iterator[Picture]:
    """A slow pan over a landscape, under the grain of fast film."""
    wide = 120 + 90 * texture(random, HEIGHT, WIDTH * 2, falloff=1.7)
    noises = noise(random)
    number = 0
    while True:
        left = int(number * pace) % WIDTH
        picture = wide[:, left : left + WIDTH]
        picture = np.clip(picture + next(noises) * (5 + 3 * pace), 0, 255).astype(np.uint8)
        yield np.repeat(picture[..., None], 3, 2)
        number += 1


def sport(random: np.random.Generator, pace: float) -> Iterator[Picture]:
    """Fast pans over a detailed field, players that run across it, and cuts."""
    tint = np.array([0.75, 1.0, 0.6], np.float32)
    while True:
        field = 110 + 100 * texture(random, HEIGHT + 200, WIDTH * 2, falloff=1.0)
        players = [(random.integers(0, 2 * WIDTH), random.integers(200, 800)) for _ in range(14)]
        speeds = random.normal(0, 7 * pace, (14, 2))
        colours = random.integers(0, 255, (14, 3))
        speed = float(random.normal(0, 9 * pace))
        place = 600.0
        for number in range(int(RATE * random.uniform(3, 7))):
            place = float(np.clip(place + speed + 4 * np.sin(number / 9), 0, WIDTH - 1))
            top = int(100 + 60 * np.sin(number / 23))
            view = field[top : top + HEIGHT, int(place) : int(place) + WIDTH, None] * tint
            picture = np.clip(view, 0, 255).astype(np.uint8)
            for (x, y), (dx, dy), colour in zip(players, speeds, colours, strict=True):
                left = int(x + dx * number - place)
                upper = int(y + 0.3 * dy * number - top)
                picture[max(upper, 0) : max(upper + 70, 0), max(left, 0) : max(left + 26, 0)] = (
                    colour
                )
            yield picture


def animation(random: np.random.Generator, pace: float) -> Iterator[Picture]:
    """Flat shapes with hard edges that move over a painted background, every other picture."""
    while True:
        sky = 150 + 60 * (_Y / HEIGHT) + 12 * texture(random, HEIGHT, WIDTH, falloff=2.5)
        ground = np.clip(sky[..., None] * random.uniform(0.5, 1, 3), 0, 255).astype(np.uint8)
        shapes = random.uniform((0, 0, 30, -6, -4), (WIDTH, HEIGHT, 140, 6, 4), (12, 5))
        colours = random.integers(0, 255, (12, 3))
        picture = ground
        for number in range(int(RATE * random.uniform(4, 8))):
            if number % 2 == 0:  # drawn on twos
                picture = ground.copy()
                for (x, y, radius, dx, dy), colour in zip(shapes, colours, strict=True):
                    across = (x + dx * pace * number) % (WIDTH + 300) - 150
                    down = (y + dy * pace * number) % (HEIGHT + 300) - 150
                    distance = (_X - across) ** 2 + (_Y - down) ** 2
                    picture[distance < radius**2] = colour // 3
                    picture[distance < (radius - 5) ** 2] = colour
            yield picture


def screen(random: np.random.Generator, pace: float) -> Iterator[Picture]:
    """A window of text that is read, and scrolled by a few lines at once."""
    page = written(random, 400, 14, 900)
    desk = np.full((HEIGHT, WIDTH, 3), (40, 60, 90), np.uint8)
    desk[:, :240] = written(random, 18, 20, 240)[:HEIGHT]
    place = 0
    while True:
        goal = (place + int(random.integers(60, 400) * pace)) % (len(page) - HEIGHT)
        while place != goal:
            step = int(np.sign(goal - place)) * min(abs(goal - place), 24)
            place += step
            desk[:, 320:1220] = page[place : place + HEIGHT]
            yield desk
        for number in range(int(RATE * random.uniform(1, 4) / pace)):
            shown = desk.copy()
            if number // 12 % 2:  # the caret blinks
                shown[400:420, 700:703] = 0
            yield shown


FILMS: dict[str, Film] = {
    "slides": slides,
    "talk": talk,
    "grain": grain,
    "sport": sport,
    "animation": animation,
    "screen": screen,
}


def make(target: Path, kind: str, *, variant: int, seconds: float) -> Path:
    """Write one film of a kind, of high quality."""
    random = np.random.default_rng((KINDS.index(kind), variant))
    command = [
        *(str(ffmpeg_path()), "-nostdin", "-y", "-v", "error"),
        *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(RATE)),
        *("-i", "-", "-c:v", "libx264", "-preset", "veryfast", "-crf", "14"),
        *("-vf", f"scale=out_color_matrix=bt709:out_range=tv,{_TOLD}"),
        *("-pix_fmt", "yuv420p", str(target)),
    ]
    pictures = islice(FILMS[kind](random, 1.0 + variant), int(seconds * RATE))
    with subprocess.Popen(command, stdin=subprocess.PIPE) as encoder:
        assert encoder.stdin
        for picture in pictures:
            encoder.stdin.write(picture.tobytes())
    assert encoder.returncode == 0
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--kind", choices=KINDS, nargs="*", default=KINDS)
    options = parser.parse_args()
    options.directory.mkdir(parents=True, exist_ok=True)
    for kind in options.kind:
        for variant in (0, 1):
            target = options.directory / f"{kind}-{variant}.mp4"
            print(make(target, kind, variant=variant, seconds=options.seconds))


if __name__ == "__main__":
    main()
