"""Officers of one agency: what each is shown and signs, and the records of it."""
