"""StyleGAN2: networks, checkpoints, W statistics and runners."""
