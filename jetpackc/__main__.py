"""`python -m jetpackc` is `jetpackc`."""

from jetpackc.cli import main

main()
