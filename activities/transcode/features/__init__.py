"""One module for each feature of an output; `registry` lists them in order."""
