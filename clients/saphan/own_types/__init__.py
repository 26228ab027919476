"""An agency's own bulletin types: drafted, signed by its roots, kept in its folder."""
