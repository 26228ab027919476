"""The officer's desk: a client on the officer's own machine, which talks to the officer's node."""
