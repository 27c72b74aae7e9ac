"""Which preset was probably meant by an id that does not exist.

Ids have the form series-container-size: "S00000001-200030" is of the static series (1), an MP4 (2)
and HD (0030). A near miss stays in its family; only a family without any presets is left for
another series of the same container and size. Names such as "mp4-720p" are read by their words.
"""

import difflib
import re
from collections.abc import Collection, Mapping

_ID = re.compile(r"(S\d{8})-(\d)(\d{5})", re.IGNORECASE)
_WORD = re.compile(r"[a-z0-9.]+")

#: what people write for the words of the names
_SAME: dict[str, str] = {
    "hls": "m3u8",
    "ts": "m3u8",
    "remux": "copy",
    **dict.fromkeys(("2160p", "2160", "uhd"), "4k"),
    **dict.fromkeys(("1440p", "1440", "qhd"), "2k"),
    **dict.fromkeys(("1080p", "1080", "fullhd"), "fhd"),
    **dict.fromkeys(("720p", "720"), "hd"),
    **dict.fromkeys(("480p", "480"), "sd"),
    **dict.fromkeys(("360p", "360"), "ld"),
    **dict.fromkeys(("240p", "240"), "xld"),
    **{f"{rate}k": str(rate) for rate in (64, 128, 160, 192, 320)},
    "narrowband": "narrowbandhdv1",
}
#: words that say what a file is, and not how large or fast
_CONTAINERS = frozenset({"mp4", "flv", "m3u8", "mp3"})
#: codecs that no preset has, and what an output says to have them
_CODECS: dict[str, str] = {
    **dict.fromkeys(("h265", "h.265", "hevc", "x265"), "H.265"),
    **dict.fromkeys(("av1", "svtav1"), "AV1"),
}


def nearest(template_id: str, names: Mapping[str, str], preferred: Collection[str]) -> str:
    """Return the question "Did you mean ...?", or an empty string.

    `names` has the name of every preset by its id, `preferred` the ids of those that can be used
    without any condition.
    """
    given: list[str] = _WORD.findall(template_id.casefold())
    words = [_SAME.get(word, word) for word in given]
    if found := _by_id(template_id.strip(), names) or _by_words(words, names, preferred):
        codec = next((_CODECS[word] for word in words if word in _CODECS), "")
        more = f' with {{"Codec": "{codec}"}} as its Video' if codec else ""
        return f'Did you mean "{found}" ({names[found]}){more}?'
    return ""


def _by_id(given: str, names: Mapping[str, str]) -> str:
    """Return the nearest size of the family that an id names, or the nearest id."""
    if (parts := _ID.fullmatch(given)) is None:
        return next(iter(difflib.get_close_matches(given.upper(), names, n=1, cutoff=0.8)), "")
    series, container, size = parts[1].upper(), parts[2], int(parts[3])
    family = [one for one in names if one.startswith(f"{series}-{container}")]
    if not family:
        family = [one for one in sorted(names) if one.endswith(f"-{container}{parts[3]}")]
        # the static ones stand in the series 1
        return min(family, key=lambda one: not one.startswith("S00000001"), default="")
    return min(sorted(family), key=lambda one: abs(int(one[-5:]) - size))


def _by_words(words: list[str], names: Mapping[str, str], preferred: Collection[str]) -> str:
    """Return the preset whose name has most of some words and fewest others."""
    wanted = set(words)

    def rank(one: str) -> tuple[int, int, bool, bool]:
        own = set(_WORD.findall(names[one].casefold()))
        return len(own & wanted), -len(own - wanted), one in preferred, "mp4" in own

    best = max(names, key=rank)
    shared = set(_WORD.findall(names[best].casefold())) & wanted
    return best if shared - _CONTAINERS else ""
