"""The `saphan` command: thin modules that call the package's functions and print what they say."""
