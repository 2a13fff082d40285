"""What is public, on every array library and device."""
