"""One module an area, one `Rule` constant a code. `jetpackc.diagnostics.registry` collects them."""
