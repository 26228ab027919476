"""How it is signed, sealed, admitted, logged and proven. No clock, randomness, files, sockets."""
