"""A broker's two logs and record packs of any length, made from a seed: what an audit reads."""
