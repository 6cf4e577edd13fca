"""One page a diagnostic code, shipped in the wheel as `jetpackc.errors` for `jetpackc explain`."""
