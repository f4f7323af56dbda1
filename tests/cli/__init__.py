"""Tests of the area this folder is named for."""
