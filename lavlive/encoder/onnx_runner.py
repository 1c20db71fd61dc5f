"""One hop at a time with ONNX Runtime: constant weights kept packed, nothing allocated between hops."""

from __future__ import annotations

import numpy as np

from lavlive.encoder.base import EncoderInfo, NetworkEncoder
from lavlive.encoder.layers import Network
from lavlive.encoder.seanet import encode
from lavlive.errors import RunnerError


class OnnxEncoder(NetworkEncoder):
    """A stream through ``network`` on the CPU.

    Always works hop by hop, so that the latents are the same to the last bit whatever pieces the sound
    comes in.

    Args:
        threads: of the CPU, for one hop. One is best where a generator wants the others.

    Raises RunnerError when ONNX Runtime is missing or does not take the network.
    """

    runner = "onnx"

    def __init__(self, network: Network, info: EncoderInfo | None = None, threads: int = 1) -> None:
        super().__init__(network, info or EncoderInfo("unnamed"))
        try:
            import onnxruntime

            from lavlive.encoder.onnx_graph import LATENT, SAMPLES, from_graph, hop_graph, next_name, to_graph
        except ImportError as error:
            raise RunnerError(f"ONNX Runtime is not here ({error}): pip install onnxruntime onnx") from error
        self._to_graph, self._from_graph = to_graph, from_graph
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Reverb tails fade into denormals, which cost a CPU a hundred times the time.
        options.add_session_config_entry("session.set_denormal_as_zero", "1")
        # A waiting thread that spins takes its core from the generator.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        model = hop_graph(network).SerializeToString()
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own exceptions have no common base but this
            raise RunnerError(f"ONNX Runtime does not take this encoder: {error}") from error
        self._shapes = {state.name: state.shape for state in network.state_shapes()}
        self._samples = np.zeros((network.hop, 1), np.float32)
        self._latent = np.zeros((1, network.dimension), np.float32)
        # A hop reads one set of states and writes the other; then they change places.
        self._states = [
            {name: to_graph(np.zeros(shape, np.float32)) for name, shape in self._shapes.items()}
            for _ in range(2)
        ]
        self._bindings = []
        for before, after in (self._states, self._states[::-1]):
            binding = self._session.io_binding()
            _bind(binding.bind_input, SAMPLES, self._samples)
            _bind(binding.bind_output, LATENT, self._latent)
            for name in self._shapes:
                _bind(binding.bind_input, name, before[name])
                _bind(binding.bind_output, next_name(name), after[name])
            self._bindings.append(binding)
        self._current = 0

    def step(self, samples: np.ndarray) -> np.ndarray:
        """Float32 [n·hop] to float32 [n, dimension]."""
        latents = np.empty((len(samples) // self.hop, self.dimension), np.float32)
        for index, hop in enumerate(self.split(samples)):
            self._samples[:, 0] = hop
            self._session.run_with_iobinding(self._bindings[self._current])
            self._current = 1 - self._current
            latents[index] = self._latent[0]
        return latents

    def reset(self) -> None:
        """Forget everything heard."""
        for state in self._states[self._current].values():
            state.fill(0.0)

    def save_state(self) -> dict[str, np.ndarray]:
        """A copy of all that the stream carries, by name."""
        states = self._states[self._current]
        return {name: self._from_graph(states[name], shape) for name, shape in self._shapes.items()}

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """Go on from where ``save_state`` of an encoder with the same layers was, on any runner."""
        for name, kept in self._states[self._current].items():
            kept[...] = self._to_graph(state[name])

    def encode(self, samples: np.ndarray) -> np.ndarray:
        """A whole clip as its own stream, at once, in torch: there a long piece is faster than its hops."""
        self.check(samples)
        return encode(self.network, samples, self.sample_rate)


def _bind(bind: object, name: str, array: np.ndarray) -> None:
    """Let the graph read or write ``array`` where it lies; whoever owns the binding keeps the array."""
    bind(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)  # type: ignore[operator]
