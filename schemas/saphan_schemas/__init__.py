"""What is said: records, codec, limits, errors, JSON Schemas, codes and labels. Pure, rank 0."""
