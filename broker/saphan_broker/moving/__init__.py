"""Moving house: one store copied into another, backups of a running one, and their return."""
