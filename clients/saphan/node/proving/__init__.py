"""Own entries under heads that witnesses have signed, and the notes that they rest under."""
