"""Kernel jobs: points as the angles of a feature map's circuits."""
