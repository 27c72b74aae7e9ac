"""Listeners that turn "an object landed" into a run. They come with a later version."""
