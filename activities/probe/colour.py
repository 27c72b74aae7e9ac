"""What the samples of a picture mean: matrix, transfer, primaries, range, as ffmpeg names them.

Decided once, where a stream is read: what its tags do not say follows from convention, and what
they cannot mean is replaced and told. `activities.conversion` makes other colours of it.
Specification: transcode, 22.1.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

#: transfers of high dynamic range, and what people call them
HDR = {"smpte2084": "PQ", "arib-std-b67": "HLG"}
#: lines of the shorter edge from which on untagged video is high definition
HIGH_DEFINITION = 720

#: matrices of YUV that ffmpeg can compute with
_MATRICES = frozenset(
    {"bt709", "fcc", "bt470bg", "smpte170m", "smpte240m", "bt2020nc", "bt2020c", "ycgco"}
)
#: transfers of ordinary video, each of them shown like BT.709 by players
_TRANSFERS = frozenset(
    {"bt709", "bt470m", "bt470bg", "smpte170m", "smpte240m", "iec61966-2-1", "iec61966-2-4"}
    | {"bt2020-10", "bt2020-12"}
)
#: transfers beside which constant luminance (bt2020c) is defined: that of BT.2020 by all its names
_CONSTANT = frozenset({"bt709", "smpte170m", "smpte240m", "bt2020-10", "bt2020-12"})
#: primaries that are wider than those of BT.709 by so much that everyone sees it
_WIDE = frozenset({"bt2020", "smpte431", "smpte432"})
#: primaries of ordinary video, which players take for those of BT.709
_ORDINARY = frozenset({"bt709", "bt470m", "bt470bg", "smpte170m", "smpte240m", "film", "ebu3213"})
#: of Dolby Vision: what its base layer is by itself, by compatibility id
_BASE_TRANSFERS = {1: "smpte2084", 2: "bt709", 4: "arib-std-b67", 6: "smpte2084"}

#: pixel formats of codecs that an ffprobe without zlib has no decoder for: of screens, all of them
_UNSEEN = {"png": "rgba", "apng": "rgba", "webp": "argb"} | dict.fromkeys(
    ("flashsv", "flashsv2", "lscr", "mwsc", "rasc", "screenpresso", "tscc", "wcmv", "zmbv"), "bgr0"
)

#: profiles of Dolby Vision that have a base layer always, whatever their record says of it
_WITH_BASE = (4, 7, 8, 9)

_RGB = re.compile(r"gbr|rgb|bgr|[ax0]rgb|[ax0]bgr|x2rgb|x2bgr|pal8|mono|bayer|xyz")
_ALPHA = re.compile(r"yuva|gbra|rgba|bgra|argb|abgr|ya8|ya16|yaf|ayuv|vuya|uyva|pal8")
# the numbers of nv12 and nv16 are bits of a pixel
_DEEP = re.compile(r"(?<!^nv)(9|10|12|14|16|32|48|64|96|128)(le|be)?$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Colour:
    """What samples mean. `matrix` is `gbr` for RGB; `full` range uses every value, 0 to 255.

    `alpha` means that the picture is transparent in places, and `deep` that it has more than 8
    bits of a colour.
    """

    matrix: str
    transfer: str
    primaries: str
    full: bool = False
    alpha: bool = False
    deep: bool = False

    @property
    def hdr(self) -> str:
        """PQ or HLG, empty for standard dynamic range."""
        return HDR.get(self.transfer, "")

    @property
    def wide(self) -> bool:
        """Whether it has colours that BT.709 has not."""
        return self.primaries in _WIDE

    @property
    def rgb(self) -> bool:
        """Whether the samples are red, green and blue themselves."""
        return self.matrix == "gbr"


@dataclass(frozen=True, kw_only=True, slots=True)
class ColourTags:
    """What a stream says of its colours; empty where it says nothing.

    `dolby_vision` is the profile, `base` the compatibility id of its base layer; None without.
    """

    pix_fmt: str
    matrix: str
    transfer: str
    primaries: str
    range: str
    dolby_vision: int | None = None
    base: int | None = None

    @property
    def hidden(self) -> bool:
        """Whether only a player of Dolby Vision can show the picture: no compatible base layer."""
        profile = self.dolby_vision
        return profile not in (None, *_WITH_BASE) and self.base not in _BASE_TRANSFERS


def colour_of(tags: ColourTags, width: int, height: int, codec: str) -> tuple[Colour, str]:
    """Return the colours of a picture of this coded size, and what contradicts itself in its tags.

    The second is a sentence, empty for a stream without contradictions.
    """
    form = tags.pix_fmt or _UNSEEN.get(codec, "")
    rgb, deep = bool(_RGB.match(form)), bool(_DEEP.search(form))
    faults: list[str] = []
    transfer = tags.transfer
    if not transfer and tags.base is not None:
        transfer = _BASE_TRANSFERS.get(tags.base, "")
    says_2020 = "bt2020" in tags.primaries or "bt2020" in tags.matrix
    if transfer in HDR and not deep and not says_2020:
        faults.append(f"the transfer {transfer} beside 8 bits of a colour without BT.2020")
        transfer = ""
    hdr = transfer in HDR
    usual = _conventional(width, height, wide=hdr or says_2020)
    if not hdr and transfer not in _TRANSFERS:
        transfer = usual["transfer"]
    matrix = "gbr" if rgb else tags.matrix
    if rgb and tags.matrix in _MATRICES:
        faults.append(f"the matrix {tags.matrix} beside RGB")
    elif not rgb and tags.matrix and tags.matrix not in _MATRICES:
        faults.append(f"the matrix {tags.matrix} beside YUV")
        matrix = ""
    elif not rgb and tags.matrix == "bt2020c" and transfer not in _CONSTANT:
        faults.append(f"the matrix bt2020c beside the transfer {transfer}")
        matrix = ""
    full = rgb or form.startswith("yuvj") or tags.range == "pc"
    if codec == "mjpeg" and not tags.range:
        full = True
    return Colour(
        matrix=matrix or usual["matrix"],
        transfer=transfer,
        primaries=tags.primaries if tags.primaries in _WIDE | _ORDINARY else usual["primaries"],
        full=full,
        alpha=bool(_ALPHA.match(form)),
        deep=deep,
    ), " and ".join(faults)


def _conventional(width: int, height: int, *, wide: bool) -> Mapping[str, str]:
    """Return what a picture of this size means that does not say it."""
    if wide:
        return {"matrix": "bt2020nc", "transfer": "bt709", "primaries": "bt2020"}
    if min(width, height) >= HIGH_DEFINITION:
        return dict.fromkeys(("matrix", "transfer", "primaries"), "bt709")
    european = height in (288, 576)
    return {
        "matrix": "smpte170m",
        "transfer": "smpte170m",
        "primaries": "bt470bg" if european else "smpte170m",
    }
