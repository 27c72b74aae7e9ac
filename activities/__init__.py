"""The activity types that come with mediaflow: one module per `Type`.

`ffmpeg.py` starts media processes, `probe.py` reads media, `templates/` holds the presets; the
other modules are one type each. The engine finds them by entry points.
"""
