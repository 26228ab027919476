"""The blind carrier: orders, keeps, delivers, expires; can prove what it did, and cannot read."""
