"""Attachments and late ciphertexts on the node's disk: received, sealed, uploaded, checked."""
