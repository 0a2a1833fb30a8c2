"""What holds for the measurements, whatever they measure."""
