"""Real processes under load, while a seed decides what breaks; `python -m chaos --help`."""
