"""The `saphan-broker` command: thin modules that call the package's functions and print results."""
