"""A bulletin as one page of fields: pure, from a type and answers to what a browser shows."""
