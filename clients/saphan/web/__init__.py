"""The officer's page: served on loopback by the officer's own machine, from the open desk."""
