"""How long this node keeps a bulletin, and how it destroys what it held of it."""
