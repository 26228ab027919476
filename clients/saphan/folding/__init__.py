"""Spellings of one word folded into one, for finding only; nothing that is signed is folded."""
