"""Stage quantize."""
