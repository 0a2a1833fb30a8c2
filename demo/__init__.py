"""The whole platform on one machine: embedded servers and a told story of patients."""
