"""What is due is destroyed, on witnessed time, after a person has seen and armed the rule."""
