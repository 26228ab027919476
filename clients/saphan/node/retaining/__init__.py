"""Which days a bulletin has here, who is asked about it, and the sweep of what is due."""
