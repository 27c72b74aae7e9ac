"""From finished files to a result: verified, named, described."""
