"""What turns w+ into pictures on each kind of device; ``lavlive.generator.runner`` chooses one."""
