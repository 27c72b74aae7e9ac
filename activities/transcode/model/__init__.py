"""What a user may say of an output: wire models, settings, tables of containers."""
