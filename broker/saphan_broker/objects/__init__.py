"""Objects that broker processes share: bytes under a name, in a directory or in an S3 bucket."""
