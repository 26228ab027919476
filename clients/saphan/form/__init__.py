"""A bulletin asked field by field, in the officer's language."""
