"""Transcode: renditions of an input. `activity.py` tells the way through the modules."""

from activities.transcode.activity import Transcode

__all__ = ["Transcode"]
