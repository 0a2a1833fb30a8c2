"""How resources are filed, one module per kind of fact; each has its FILED_BY."""
