"""The backends of the stand-in."""
