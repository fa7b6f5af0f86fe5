"""Tables from files and data frames: cells, columns, labels."""
