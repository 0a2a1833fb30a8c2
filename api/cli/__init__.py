"""The command line `anamnesis`: serve, worker, demo and the operator's tools."""
