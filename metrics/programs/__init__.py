"""Tests of programs: their layouts, and why a program failed one."""
