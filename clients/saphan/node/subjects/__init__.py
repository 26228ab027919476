"""The index of what bulletins here refer to, and what this agency can say about a reference."""
