"""The record of how results came about: the jobs, the code, the machine, and the checksums of files."""
