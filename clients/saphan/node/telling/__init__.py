"""How somebody is told that a bulletin waits, and others when nobody reads it."""
