"""Long runs, with a short form in every run of the suite."""
