"""Whom bulletins are about: references in them, normalised, so that a person can be found."""
