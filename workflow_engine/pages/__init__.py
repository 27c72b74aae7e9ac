"""HTML: templates, what they are given, and how they are filled in.

Pure: a page is text made of records. `web` serves pages, and a Report keeps the page of its
execution as a file, so nothing here loads anything from another host, and what a page of its own
file needs is written into it (decision 25).
"""
