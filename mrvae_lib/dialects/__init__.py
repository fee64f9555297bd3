"""How other projects state what this library runs: their betas (`beta`) and their configuration files (`ini`)."""
