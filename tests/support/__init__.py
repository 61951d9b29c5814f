"""What all tests share, and the benchmarks with them: servers, pictures, files and processes."""
