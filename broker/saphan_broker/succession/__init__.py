"""A log that was lost gets a successor: what nodes know is gathered, and the next log is begun."""
