"""Text of others, such as names of files, in lines that are ours."""


def escaped(text: str) -> str:
    r"""Return text as one line without control characters: they become escapes.

    >>> escaped("a\nb")
    'a\\nb'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
