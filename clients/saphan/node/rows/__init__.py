"""The node's store: its tables, and the rows that many parts share."""
