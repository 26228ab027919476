"""The agency's own server: seals, signs, opens, answers, archives, witnesses (design section 1)."""
