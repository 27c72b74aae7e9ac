"""A ladder of renditions in three containers: one encoder for each picture, or one for each file.

    python -m benchmarks.containers [--clip generated|real ...] [--preset veryfast|medium ...]

What `benchmarks/ladder.py` measures with the same options, of mp4, m3u8 and flv: twelve outputs of
four pictures. The commands by hand have an encoder for each output.
"""

from benchmarks import ladder

if __name__ == "__main__":
    ladder.main(("mp4", "m3u8", "flv"))
