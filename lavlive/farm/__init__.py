"""A film by many workers: latents once and in sequence, pictures by groups, joined as they were encoded."""
