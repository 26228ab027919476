"""A broker's log was lost, and another one follows it: what this node tells, believes and does."""
