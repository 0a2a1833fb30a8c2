"""The embedded servers, started for real as several users."""
