"""From queued items to one commit at a time: judge, enter, write, sign, answer."""
