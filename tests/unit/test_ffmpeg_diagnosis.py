"""What the end of an ffmpeg means is told by its words."""

import pytest

from activities.ffmpeg.diagnosis import Diagnosis
from workflow_engine.errors import ActivityError, Code


def error_of(status: int, *lines: str) -> ActivityError | None:
    diagnosis = Diagnosis()
    for line in lines:
        diagnosis.see(line)
    return diagnosis.error(status, "ffmpeg", lines)


@pytest.mark.parametrize(
    ("status", "line", "code"),
    [
        (228, "[out#0/mp4] Error writing trailer: No space left on device", Code.NO_SPACE),
        (69, "Decode error rate 0.2 exceeds maximum 0.01", Code.RESOURCE_CONTENT_BAD),
        (244, "[enc:aac] Error submitting audio frame to the encoder", Code.RESOURCE_CONTENT_BAD),
        (0, "stream 1, offset 0x5a6d0: partial file", Code.RESOURCE_CONTENT_BAD),
        (1, "Unknown encoder 'libnope'", Code.INTERNAL),
        (139, "", Code.INTERNAL),
    ],
)
def test_the_end_of_a_process_is_told_by_its_words(status: int, line: str, code: str) -> None:
    diagnosis = Diagnosis()
    diagnosis.see(line)
    error = diagnosis.error(status, "ffmpeg", [line])
    assert error is not None and error.code == code and error.detail == line


def test_concealed_damage_alone_is_no_error() -> None:
    diagnosis = Diagnosis()
    diagnosis.see("[h264] error while decoding MB 8 19, bytestream 881")
    assert diagnosis.error(0, "ffmpeg", []) is None
    assert diagnosis.decode_errors == 1


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            [
                "[adts] channelConfiguration > 7 is not supported in ADTS",
                "[out#0/hls] Could not write header (incorrect codec parameters ?): "
                "Invalid data found when processing input",
                "[fc#0] Error sending frames to consumers: Invalid data found",
                "[out#0/hls] Nothing was written into output file",
            ],
            "channelConfiguration > 7",
        ),
        (
            [
                "[mpegts] first pts and dts value must be set",
                "[aost#0:1/copy] Error submitting a packet to the muxer: "
                "Invalid data found when processing input",
                "    Last message repeated 1 times",
                "[out#0/hls] Error muxing a packet",
            ],
            "first pts and dts",
        ),
        (
            ["[vost#0:0/libx264] Error applying encoder options: Invalid data found"],
            "encoder options",
        ),
        (
            [
                # damage that was concealed, before something else went wrong
                "[vist#0:0/h264] Error submitting packet to decoder: Invalid data found",
                "[out#0/mp4] Error muxing a packet",
            ],
            "Error muxing",
        ),
    ],
)
def test_what_writes_an_output_leaves_open_whose_fault_it_is(lines: list[str], said: str) -> None:
    error = error_of(234, *lines)
    assert error is not None and error.code == Code.INTERNAL and said in error.message


def test_a_decoder_that_gave_up_explains_what_comes_behind_it() -> None:
    lines = [
        "[aist#0:0/flac] Decode error rate 1 exceeds maximum 0.01",
        # nothing could be decoded, so nothing was encoded either
        "[out#0/mp3] Error writing trailer: Invalid argument",
    ]
    error = error_of(183, *lines)
    assert error is not None and error.code == Code.RESOURCE_CONTENT_BAD


def test_a_decoder_that_gave_up_ends_the_process_at_once() -> None:
    diagnosis = Diagnosis()
    diagnosis.see("[h264] error while decoding MB 8 19, bytestream 881")
    assert diagnosis.doomed([]) is None
    diagnosis.see("[vist#0:0/h264] Decode error rate 0.2 exceeds maximum 0.01")
    error = diagnosis.doomed(["last words"])
    assert error is not None
    assert (error.code, error.detail) == (Code.RESOURCE_CONTENT_BAD, "last words")


def test_the_first_word_counts() -> None:
    error = error_of(1, "Unknown encoder 'libnope'", "[out#0/mp4] Error opening output")
    assert error is not None and "libnope" in error.message


def test_what_the_muxer_refuses_is_no_damage_of_the_source() -> None:
    diagnosis = Diagnosis()
    diagnosis.see("[aost#0:1/copy] Error submitting a packet to the muxer: Invalid data found")
    assert diagnosis.decode_errors == 0
