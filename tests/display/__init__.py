"""Tests of the displays: a package, as other tests are of modules of the same names."""
