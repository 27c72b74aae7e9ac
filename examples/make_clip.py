"""Write a ten-second test clip with moving picture and sound: `make_clip.py clip.mp4`."""

import subprocess
import sys
from pathlib import Path

from activities.ffmpeg import ffmpeg_path

path = Path(sys.argv[1])
# film grain gives the picture detail enough that the analysis offers the better presets
picture = "testsrc2=size=1280x720:rate=25:duration=10,noise=alls=6:allf=t"
sound = "sine=frequency=440:duration=10"
inputs = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound]
encoders = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-c:a", "aac"]
quiet = ["-nostdin", "-v", "error", "-y"]
subprocess.run([str(ffmpeg_path()), *quiet, *inputs, *encoders, str(path)], check=True)
print(path)
