"""The kinds of defects, by the names that the API has for them (specification, api, 16.3)."""

from enum import StrEnum


class Label(StrEnum):
    """A kind of defect, as the output file calls it."""

    #: grid of the encoder, or of damage, is seen
    BLOCKNESS = "blockness"
    #: the whole picture is black, white, too dark or too bright
    BRIGHTNESS = "brightness"
    #: a moving picture stops
    FREEZE = "freeze"
    #: the picture is not sharp
    IMAGE_DEFINITION = "image_definition"
    #: the shadows swallow the picture
    LESS_EXPOSE = "less_expose"
    #: the highlights are cut off, and no shadows are left
    OVER_EXPOSE = "over_expose"
    #: bars of black or white beside the picture
    BORDER = "border"
    #: snow
    NOISE = "noise"

    @property
    def summary_key(self) -> str:
        """The key in VideoQualityResults."""
        return "".join(word.title() for word in self.split("_"))


#: what the API knows besides and this version does not look for
MOSAIC = "mosaic"
