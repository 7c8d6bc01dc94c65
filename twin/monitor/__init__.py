"""The hot loop: committed batch → kernels → findings → state → live feed."""
