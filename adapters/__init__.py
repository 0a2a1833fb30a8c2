"""The outside world, one package per technology or standard, each speaking commands inward."""
