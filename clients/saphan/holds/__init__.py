"""Hold orders as an agency's people make them: terms, the signed file, what is kept of it."""
