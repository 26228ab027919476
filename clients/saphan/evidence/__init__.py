"""Evidence of one bulletin that stands alone: exported out of a node's store, verified anywhere."""
