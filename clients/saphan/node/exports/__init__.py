"""What left this node for places that Saphan does not keep, each time as a signed record."""
