"""What officers and patients are given to check us with."""
