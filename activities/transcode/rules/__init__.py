"""What may not stand together: every problem of the parameters, before any input is known."""
