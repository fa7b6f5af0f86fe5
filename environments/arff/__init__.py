"""Reader of ARFF files."""
