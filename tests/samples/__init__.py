"""Real sample data, read in place from the folder that ANAMNESIS_SAMPLES names."""
