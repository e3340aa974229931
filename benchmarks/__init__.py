"""Measurements that take longer than tests may; each module is a command."""
