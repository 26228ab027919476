"""How long a bulletin is kept here: facts of its content, and the days that follow from them."""
