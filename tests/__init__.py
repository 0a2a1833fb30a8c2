"""The tests mirror the grid: the same folder and file names as the code they judge."""
