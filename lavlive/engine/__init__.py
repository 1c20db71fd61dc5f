"""The engine process: sound and the neural networks, in threads that never wait for each other."""
