"""The causal streaming encoder: sound to latents."""
