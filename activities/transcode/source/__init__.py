"""What an output takes of its source: streams, time, size, and the scene that features look at."""
