"""How it is signed, sealed, admitted, logged and proven. Pure: no clock, randomness, files, sockets."""
